# version.hpp (given here as VERSION), CHANGELOG.md's newest release and CITATION.cff name one version.
function(expect_version file pattern)
  file(READ "${SOURCE}/${file}" text)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "${file}: no version found")
  elseif(NOT CMAKE_MATCH_1 STREQUAL VERSION)
    message(FATAL_ERROR "${file} says ${CMAKE_MATCH_1}, include/hcl/version.hpp says ${VERSION}")
  endif()
endfunction()

expect_version(CHANGELOG.md "\n## \\[([0-9.]+)\\]")
expect_version(CITATION.cff "\nversion: \"?([0-9.]+)")
