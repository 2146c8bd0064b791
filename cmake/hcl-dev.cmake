# For our own tests, benches and examples; nothing here reaches a user of hcl::hcl.
include(CheckCXXCompilerFlag)

option(HCL_NATIVE "Compile for this machine's CPU (-march=native)" ON)
option(HCL_SANITIZE "Address and undefined-behaviour sanitizers" OFF)
option(HCL_SHORT "Fewer instances in the tests that compile for minutes under sanitizers" OFF)

if(NOT TARGET Eigen3::Eigen OR (Eigen3_FOUND AND Eigen3_VERSION VERSION_LESS 3.4))
  message(FATAL_ERROR "hcl: Eigen3 >= 3.4 was not found, which tests, benchmarks and examples "
    "need. Install it (Debian: libeigen3-dev), name its place in CMAKE_PREFIX_PATH, or set "
    "HCL_FETCH_DEPS=ON to download it.")
endif()
add_library(hcl-dev INTERFACE)
if(HCL_WITH_OPENMP AND NOT TARGET hcl::openmp)
  message(FATAL_ERROR "hcl: OpenMP was not found for ${CMAKE_CXX_COMPILER}. Install it "
    "(Debian, for clang: libomp-dev) or set HCL_WITH_OPENMP=OFF for one thread.")
endif()
target_link_libraries(hcl-dev INTERFACE $<IF:$<BOOL:${HCL_WITH_OPENMP}>,hcl::openmp,hcl::hcl>)
target_compile_options(hcl-dev INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
# GCC 12 takes its own AVX-512 intrinsics for uninitialised (GCC bug 105593), as Eigen has them.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(hcl-dev INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
target_compile_definitions(hcl-dev INTERFACE $<$<BOOL:${HCL_SHORT}>:HCL_SHORT=1>)
# The names of instances left out are then unused, which clang reports.
target_compile_options(hcl-dev INTERFACE $<$<BOOL:${HCL_SHORT}>:-Wno-unused-const-variable>)
if(HCL_NATIVE)
  check_cxx_compiler_flag(-march=native HCL_HAS_MARCH_NATIVE)
  if(HCL_HAS_MARCH_NATIVE)
    target_compile_options(hcl-dev INTERFACE -march=native)
  endif()
endif()
if(HCL_SANITIZE)
  set(_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(hcl-dev INTERFACE ${_sanitize})
  target_link_options(hcl-dev INTERFACE ${_sanitize})
endif()

# A package that only a developer's part needs; names the option that does without.
macro(hcl_need package debian option)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "hcl: ${package} was not found. Install it (Debian: ${debian}) "
      "or set ${option}=OFF.")
  endif()
endmacro()

# Here, not in tests/: what the macro reads must be visible in examples/ too.
if(HCL_BUILD_TESTS)
  hcl_need(doctest doctest-dev HCL_BUILD_TESTS)
  include("${doctest_DIR}/doctest.cmake" OPTIONAL)
endif()

# One test program of the test_*.cpp in a folder, its cases registered as <name>.<case>.
function(hcl_add_tests name folder)
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/test_*.cpp")
  if(NOT sources)
    return()
  endif()
  set(program hcl-test-${name})
  add_executable(${program} ${sources})
  target_link_libraries(${program} PRIVATE hcl-dev hcl-test-main ${ARGN})
  # -O3 compiles for much longer than these tests run.
  target_compile_options(${program} PRIVATE $<$<CONFIG:Release>:-O2>)
  # Threads that wait must not spin: ctest runs several programs at once.
  set(properties ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(COMMAND doctest_discover_tests)
    doctest_discover_tests(${program} TEST_PREFIX ${name}. PROPERTIES ${properties})
  else()
    add_test(NAME ${name} COMMAND ${program})
    set_tests_properties(${name} PROPERTIES ${properties})
  endif()
endfunction()

# Every header alone in a file of its own, twice (the guard), and all of them linked into one
# program (a function that is not inline is then defined twice).
function(hcl_add_headers_alone name root)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}.sources")
  file(CONFIGURE OUTPUT "${folder}/main.cpp" CONTENT "int main() {}\n")
  set(sources "${folder}/main.cpp")
  foreach(header IN LISTS ARGN)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${root}")
    string(REPLACE "/" "-" file "${header}.cpp")
    file(CONFIGURE OUTPUT "${folder}/${file}"
      CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
    list(APPEND sources "${folder}/${file}")
  endforeach()
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE "${root}")
  target_link_libraries(${name} PRIVATE hcl-dev)
  target_compile_options(${name} PRIVATE -O0)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
