# hcl::xsimd - xsimd's include folder and nothing else.
# Included by the build and, installed, by hclConfig.cmake; both find xsimd first.
# Debian's xsimd target names a library `xtl` that is not installed with it, so
# linking the target itself ends in "cannot find -lxtl".
if(NOT TARGET hcl::xsimd)
  # Read now: $<TARGET_PROPERTY:xsimd,...> would be looked up in the consumer's scope.
  get_target_property(_hcl_xsimd_include xsimd INTERFACE_INCLUDE_DIRECTORIES)
  add_library(hcl::xsimd INTERFACE IMPORTED)
  target_include_directories(hcl::xsimd INTERFACE "${_hcl_xsimd_include}")
endif()
