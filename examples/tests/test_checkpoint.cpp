// examples/tests/test_checkpoint.cpp - checkpoints: same numbers back, damage noticed,
// old file kept.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "cnn/checkpoint.hpp"

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path =
      fs::temp_directory_path() / ("hcl_checkpoint_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spit(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

struct State {
  std::vector<float> weight{1, -2, 3.5f, 0, 1e-30f, 7};
  std::vector<std::int64_t> step{-5, 1};
  std::vector<std::uint64_t> key{~std::uint64_t{0}};
  std::vector<cnn::NamedTensor> tensors() {
    return {{"weight", {2, 3}, weight.data()},
            {"step", {2}, step.data()},
            {"key", {}, key.data()},
            {"none", {0, 4}, weight.data()}};
  }
  static State zero() { return {std::vector<float>(6), {0, 0}, {0}}; }
  friend bool operator==(const State&, const State&) = default;
};
const cnn::Metadata notes{{"config", "{\"c\":\"0.7\"}"}, {"note", "caf\xc3\xa9"}};

/// The message of the error that loading throws; checks that nothing was written to.
std::string load_error(const fs::path& file) {
  State state = State::zero();
  std::string what;
  try {
    cnn::load_checkpoint(file, state.tensors());
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  CHECK(!what.empty());
  CHECK(what.find(file.string()) == 0);
  CHECK(state == State::zero());
  return what;
}

/// A file with this header and these data, no more correct than they are.
std::string raw(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a checkpoint gives back what was saved, in the same bytes every time") {
  const Folder folder;
  const fs::path file = folder.path / "a.safetensors";
  State saved;
  auto tensors = saved.tensors();
  cnn::save_checkpoint(file, tensors, notes);
  State state = State::zero();
  CHECK(cnn::load_checkpoint(file, state.tensors()) == notes);
  CHECK(state == saved);
  CHECK(cnn::read_checkpoint_metadata(file) == notes);
  CHECK(!fs::exists(file.string() + ".tmp"));

  const std::string bytes = slurp(file);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  CHECK(header % 8 == 0);
  std::swap(tensors[0], tensors[2]);
  cnn::save_checkpoint(file, tensors, notes);
  CHECK(slurp(file) == bytes);
}

TEST_CASE("every truncation, extension and changed byte of a checkpoint is noticed") {
  const Folder folder;
  const fs::path file = folder.path / "a.safetensors";
  State saved;
  cnn::save_checkpoint(file, saved.tensors(), notes);
  const std::string good = slurp(file);
  for (std::size_t n = 0; n < good.size(); ++n) {
    spit(file, good.substr(0, n));
    load_error(file);
  }
  spit(file, good + '\0');
  load_error(file);
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int flip : {0x01, 0x20, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      spit(file, bad);
      State state = State::zero();
      try {
        const auto loaded = cnn::load_checkpoint(file, state.tensors());
        CHECK(loaded == notes);  // harmless: padding that became other white space
        CHECK(state == saved);
      } catch (const std::runtime_error&) {
        CHECK(state == State::zero());
      }
    }
}

TEST_CASE("a checkpoint that is not what was asked for is refused by name") {
  const Folder folder;
  const fs::path file = folder.path / "a.safetensors";
  State saved;
  auto tensors = saved.tensors();
  tensors[0].shape = {3, 2};
  cnn::save_checkpoint(file, tensors);
  CHECK(contains(load_error(file), "tensor weight is F32 [3,2], expected F32 [2,3]"));
  tensors = saved.tensors();
  tensors.pop_back();
  cnn::save_checkpoint(file, tensors);
  CHECK(contains(load_error(file), "tensor none is missing"));
  tensors = saved.tensors();
  tensors.push_back({"more", {1}, saved.weight.data()});
  cnn::save_checkpoint(file, tensors);
  CHECK(contains(load_error(file), "tensor more is unexpected"));

  tensors.back().name = "weight";
  CHECK_THROWS_AS(cnn::save_checkpoint(file, tensors), std::invalid_argument);
  tensors.back() = {"more", {-1}, saved.weight.data()};
  CHECK_THROWS_AS(cnn::save_checkpoint(file, tensors), std::invalid_argument);
  CHECK_THROWS_AS(cnn::save_checkpoint(file, saved.tensors(), {{"crc32", ""}}),
                  std::invalid_argument);
  CHECK_THROWS_AS(cnn::save_checkpoint(file, saved.tensors(), {{"a", "\xff"}}),
                  std::invalid_argument);
  CHECK(contains(load_error(file), "tensor more is unexpected"));  // the old file
}

TEST_CASE("a malformed header is refused with its reason") {
  const Folder folder;
  const fs::path file = folder.path / "a.safetensors";
  const auto error = [&](const std::string& header, const std::string& data = "") {
    spit(file, raw(header, data));
    return load_error(file);
  };
  const auto f32 = [](const std::string& name, const std::string& shape,
                      const std::string& range) {
    return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" +
           range + "}";
  };
  const std::string four(4, 'x'), eight(8, 'x');
  CHECK(contains(error(" {}"), "does not begin with {"));
  CHECK(contains(error(""), "does not begin with {"));
  CHECK(contains(error("{"), "not JSON"));
  CHECK(contains(error(R"({"a":{"b":{"c":{"d":{}}}}})"), "nested too deeply"));
  CHECK(contains(
      error("{" + f32("a", "[1]", "[0,4]") + "," + f32("a", "[1]", "[4,8]") + "}", eight),
      "name \"a\" is given twice"));
  CHECK(contains(error(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", four),
                 "unknown dtype"));
  CHECK(contains(error("{" + f32("a", "[-1]", "[0,4]") + "}", four), "bad shape"));
  CHECK(contains(error("{" + f32("a", "[4611686018427387904,4]", "[0,4]") + "}", four),
                 "needs more than"));
  CHECK(contains(error("{" + f32("a", "[1]", "[0,8]") + "}", eight), "needs 4 bytes"));
  CHECK(contains(error("{" + f32("a", "[1]", "[4,0]") + "}", four), "are not within"));
  CHECK(contains(error("{" + f32("a", "[1]", "[4,8]") + "}", eight), "leaving a hole"));
  CHECK(contains(
      error("{" + f32("a", "[1]", "[0,4]") + "," + f32("b", "[1]", "[0,4]") + "}", four),
      "overlapping"));
  CHECK(contains(error("{" + f32("a", "[1]", "[0,4]") + "}", eight),
                 "tensors end at byte 4"));
  CHECK(contains(error("{" + f32("a", "[1]", "[0,4]") + "}", four), "no checksum"));
  std::string huge = raw("{}", "");
  huge[7] = 1;
  spit(file, huge);
  CHECK(contains(load_error(file), "header of"));
}

TEST_CASE("a full disk leaves the old checkpoint and nothing else") {
  const Folder folder;
  const fs::path file = folder.path / "a.safetensors";
  State saved;
  cnn::save_checkpoint(file, saved.tensors(), notes);
  const std::string before = slurp(file);
  std::vector<float> large(10000, 1.0f);
  const std::vector<cnn::NamedTensor> tensors{{"large", {10000}, large.data()}};

  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 4096;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string what;
  try {
    cnn::save_checkpoint(file, tensors);
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(what, file.string()));
  CHECK(contains(what, std::generic_category().message(EFBIG)));
  CHECK(slurp(file) == before);
  CHECK(!fs::exists(file.string() + ".tmp"));

  // A folder that is not there, and one in the place of the file.
  CHECK_THROWS_AS(cnn::save_checkpoint(folder.path / "no" / "a", tensors),
                  std::runtime_error);
  fs::create_directories(folder.path / "b" / "c");
  CHECK_THROWS_AS(cnn::save_checkpoint(folder.path / "b", tensors), std::runtime_error);
  CHECK(!fs::exists(folder.path / "b.tmp"));
}
