# Install rules: the headers, and the package that find_package(hcl) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(_to "${CMAKE_INSTALL_DATADIR}/cmake/hcl")  # share/: nothing here depends on the CPU
install(DIRECTORY include/hcl DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING
  PATTERN *.hpp)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/hcl")
install(TARGETS hcl EXPORT hclTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT hclTargets NAMESPACE hcl:: DESTINATION "${_to}")

# What HCL_FETCH_DEPS downloaded goes along, for whoever has no other.
set(HCL_BUNDLE "${CMAKE_INSTALL_INCLUDEDIR}/hcl-bundle")
if(hcl_eigen_SOURCE_DIR)
  install(DIRECTORY "${hcl_eigen_SOURCE_DIR}/Eigen" DESTINATION "${HCL_BUNDLE}/eigen3")
endif()
if(hcl_xsimd_SOURCE_DIR)
  install(DIRECTORY "${hcl_xsimd_SOURCE_DIR}/include/xsimd" DESTINATION "${HCL_BUNDLE}/xsimd")
endif()

configure_package_config_file(cmake/hclConfig.cmake.in "${PROJECT_BINARY_DIR}/hclConfig.cmake"
  INSTALL_DESTINATION "${_to}" PATH_VARS HCL_BUNDLE)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/hclConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)  # SameMajorVersion from 1.0 on
install(FILES cmake/hcl-xsimd.cmake "${PROJECT_BINARY_DIR}/hclConfig.cmake"
  "${PROJECT_BINARY_DIR}/hclConfigVersion.cmake" DESTINATION "${_to}")
