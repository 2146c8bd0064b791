// tests/fuzz/scratch.hpp - bytes as files, for readers that ask for a path.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "input.hpp"

namespace fuzz {

/// A folder of this process, removed at its end.
class Scratch {
 public:
  Scratch() { std::filesystem::create_directories(folder_); }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Writes a file of this name and returns its path.
  std::filesystem::path file(const std::string& name,
                             std::span<const std::uint8_t> bytes) const {
    const auto path = folder_ / name;
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    require(bool(out.flush()), "cannot write ", path.string());
    return path;
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("hcl_fuzz_" + std::to_string(::getpid()));
};

}  // namespace fuzz
