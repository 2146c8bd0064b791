# The first C++ block of README.md is examples/quickstart.cpp, line for line.
file(READ "${SOURCE}/README.md" readme)
file(READ "${SOURCE}/examples/quickstart.cpp" program)
string(FIND "${readme}" "```cpp\n${program}```" at)
string(FIND "${readme}" "```cpp" first)
if(at EQUAL -1 OR NOT at EQUAL first)
  message(FATAL_ERROR "README.md: the first C++ block is not examples/quickstart.cpp")
endif()
