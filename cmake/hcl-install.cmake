# Install rules: the headers, and the package that find_package(hcl) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(_to "${CMAKE_INSTALL_DATADIR}/cmake/hcl")  # share/: nothing here depends on the CPU
install(TARGETS hcl EXPORT hclTargets FILE_SET HEADERS)
install(EXPORT hclTargets NAMESPACE hcl:: DESTINATION "${_to}")

configure_package_config_file(cmake/hclConfig.cmake.in "${PROJECT_BINARY_DIR}/hclConfig.cmake"
  INSTALL_DESTINATION "${_to}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/hclConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)  # SameMajorVersion from 1.0 on
install(FILES cmake/hcl-xsimd.cmake "${PROJECT_BINARY_DIR}/hclConfig.cmake"
  "${PROJECT_BINARY_DIR}/hclConfigVersion.cmake" DESTINATION "${_to}")
