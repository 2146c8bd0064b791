# What hcl stands on: found on the system, else, with HCL_FETCH_DEPS, downloaded.
# Versions are compared here: a version given to find_package would refuse the next major one.
include(FetchContent)

# Downloads the headers of a project and puts its folder into <name>_SOURCE_DIR. Its CMake files
# are not run (SOURCE_SUBDIR names no folder): both projects are headers alone, and theirs add
# tests, options and install rules of their own.
macro(hcl_fetch_headers name repository tag)
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW TRUE
    SOURCE_SUBDIR headers-only)
  FetchContent_MakeAvailable(${name})
endmacro()

if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 CONFIG QUIET)
  if(NOT Eigen3_FOUND AND HCL_FETCH_DEPS)
    hcl_fetch_headers(hcl_eigen https://gitlab.com/libeigen/eigen.git 3.4.0)
    add_library(Eigen3::Eigen INTERFACE IMPORTED)
    target_include_directories(Eigen3::Eigen INTERFACE "${hcl_eigen_SOURCE_DIR}")
  elseif(NOT Eigen3_FOUND)
    message(STATUS "hcl: Eigen3 was not found; hcl::hcl does without it")
  endif()
endif()

if(HCL_WITH_OPENMP AND NOT TARGET OpenMP::OpenMP_CXX)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(NOT OpenMP_CXX_FOUND)
    message(STATUS "hcl: OpenMP was not found for ${CMAKE_CXX_COMPILER}, there is no "
      "hcl::openmp; hcl::hcl is one thread.")
  endif()
endif()

if(HCL_WITH_XSIMD AND NOT TARGET hcl::xsimd)
  if(NOT TARGET xsimd)
    find_package(xsimd CONFIG QUIET)
  endif()
  if(xsimd_FOUND AND xsimd_VERSION VERSION_LESS 8.1)
    message(FATAL_ERROR "hcl: xsimd ${xsimd_VERSION} in ${xsimd_DIR} is older than 8.1. "
      "Install a newer one or set HCL_WITH_XSIMD=OFF for scalar code.")
  elseif(TARGET xsimd)
    include("${CMAKE_CURRENT_LIST_DIR}/hcl-xsimd.cmake")
  elseif(HCL_FETCH_DEPS)
    hcl_fetch_headers(hcl_xsimd https://github.com/xtensor-stack/xsimd.git 13.0.0)
    add_library(hcl::xsimd INTERFACE IMPORTED)
    target_include_directories(hcl::xsimd INTERFACE "${hcl_xsimd_SOURCE_DIR}/include")
  else()
    message(FATAL_ERROR "hcl: xsimd >= 8.1 was not found. Install it (Debian: libxsimd-dev), "
      "set HCL_FETCH_DEPS=ON to download it, or HCL_WITH_XSIMD=OFF for scalar code.")
  endif()
endif()
