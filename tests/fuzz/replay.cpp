// tests/fuzz/replay.cpp - a main for a fuzz target, for any compiler: runs the files that
// are named, and those of folders.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>

#include "input.hpp"

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::set<fs::path> files;
  for (int i = 1; i < argc; ++i)
    if (fs::is_directory(argv[i]))
      for (const auto& entry : fs::directory_iterator(argv[i]))
        files.insert(entry.path());
    else
      files.insert(argv[i]);
  for (const auto& file : files) {
    std::cerr << file.string() << std::endl;  // first, as the target may abort
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::cerr << "cannot open\n", 1;
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                           bytes.size());
  }
  std::cerr << files.size() << " files\n";
  return files.empty() ? 1 : 0;
}
