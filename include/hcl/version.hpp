// hcl/version.hpp - the version, written here and nowhere else; CMake reads it from this
// file.
#pragma once

#define HCL_VERSION_MAJOR 0
#define HCL_VERSION_MINOR 1
#define HCL_VERSION_PATCH 0
