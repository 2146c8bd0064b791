# The first C++ block of README.md is examples/quickstart.cpp, line for line.
file(READ "${SOURCE}/README.md" readme)
file(READ "${SOURCE}/examples/quickstart.cpp" program)
string(FIND "${readme}" "```cpp\n${program}```" at)
string(FIND "${readme}" "```cpp" first)
if(at EQUAL -1 OR NOT at EQUAL first)
  message(FATAL_ERROR "README.md: the first C++ block is not examples/quickstart.cpp")
endif()

# Its block of single points is compiled and run, between braces, in a test.
if(NOT readme MATCHES "without a batch:\n\n```cpp(\n[^`]*)\n```")
  message(FATAL_ERROR "README.md: no C++ block after \"without a batch:\"")
endif()
string(REPLACE "\n" "\n  " block "${CMAKE_MATCH_1}")
file(READ "${SOURCE}/tests/manifold/test_pointwise.cpp" test)
string(FIND "${test}" "${block}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md: its block of single points is not in test_pointwise.cpp")
endif()
