// examples/tests/test_data.cpp - readers of image files, the generator, augmentation.
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <Eigen/Core>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "cnn/augment.hpp"
#include "cnn/generate.hpp"
#include "cnn/whiten.hpp"

namespace {

namespace fs = std::filesystem;
using Samples = std::vector<std::ptrdiff_t>;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("hcl_data_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

void spit(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

template <class F>
std::string error(const F& f) {
  try {
    f();
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "no error";
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// n records of labels 0, 1, ...; byte k of the planes of record i is (i + k) mod 251.
std::string cifar(int n, int label_bytes) {
  std::string s;
  for (int i = 0; i < n; ++i) {
    s.append(std::size_t(label_bytes), char(i));
    for (int k = 0; k < 3072; ++k) s += char((i + k) % 251);
  }
  return s;
}

std::string big_endian(std::uint32_t x) {
  return {char(x >> 24), char(x >> 16), char(x >> 8), char(x)};
}
std::string idx_labels(std::uint32_t n) {
  std::string s = big_endian(0x801) + big_endian(n);
  for (std::uint32_t i = 0; i < n; ++i) s += char(i % 10);
  return s;
}
std::string idx_images(std::uint32_t n) {
  std::string s = big_endian(0x803) + big_endian(n) + big_endian(28) + big_endian(28);
  for (std::uint32_t k = 0; k < n * 784; ++k) s += char(1 + k % 250);
  return s;
}

std::string gzip(const fs::path& scratch, const std::string& bytes) {
  const gzFile out = gzopen(scratch.c_str(), "wb");
  gzwrite(out, bytes.data(), unsigned(bytes.size()));
  gzclose(out);
  std::ifstream in(scratch, std::ios::binary);
  std::string packed{std::istreambuf_iterator<char>(in), {}};
  in.close();
  fs::remove(scratch);
  return packed;
}

template <class Augment>
std::vector<float> views(const Augment& augment, const cnn::Dataset& data,
                         const Samples& samples, std::uint64_t seed,
                         std::uint64_t stream) {
  std::vector<float> out(samples.size() * std::size_t(data.image_size()), -1.0F);
  augment(data, samples, seed, stream, out.data());
  return out;
}

}  // namespace

TEST_CASE("CIFAR files: planes become pixels, damage is named") {
  const Folder folder;
  const fs::path file = folder.path / "data_batch_1.bin";
  for (const int label_bytes : {1, 2}) {
    CAPTURE(label_bytes);
    const auto append = [&](cnn::Dataset& d, std::size_t records) {
      cnn::detail::append_cifar(d, file, std::size_t(label_bytes), records);
    };
    cnn::Dataset data;
    spit(file, cifar(3, label_bytes));
    append(data, 3);
    append(data, 3);
    REQUIRE(data.size() == 6);
    CHECK(data.labels[5] == 2);
    CHECK(data.image(2)[3 * 5 + 1] == (2 + 1024 + 5) % 251);
    CHECK(data.first(4).pixels.size() == 4 * 3072);

    const std::string good = cifar(3, label_bytes);
    for (std::size_t n = 0; n < good.size(); n += 61) {
      spit(file, good.substr(0, n));
      const std::string what = error([&] { append(data, 3); });
      CHECK(contains(what, file.string() + ": has " + std::to_string(n) + " bytes"));
    }
    spit(file, good + "x");
    CHECK(contains(error([&] { append(data, 3); }), "it ends at byte 1 of record 3"));
    std::string bad = good;
    bad[std::size_t(2 * (3072 + label_bytes) + label_bytes - 1)] = 10;
    spit(file, bad);
    CHECK(contains(error([&] { append(data, 3); }),
                   "data_batch_1.bin: record 2: label 10 must be in [0, 10)"));
    CHECK(data.size() == 6);
    CHECK(data.pixels.size() == 6 * 3072);
  }
  spit(file, cifar(2, 1));
  CHECK(contains(error([&] { cnn::load(folder.path); }), "must be 10000 records"));
  fs::create_directories(folder.path / "cifar-100-binary");
  fs::remove(file);
  spit(folder.path / "cifar-100-binary" / "train.bin", cifar(2, 2));
  CHECK(contains(error([&] { cnn::load(folder.path); }), "must be 50000 records"));
}

TEST_CASE("idx files: plain or gzip, padded; truncation and changed bytes are noticed") {
  const Folder folder;
  const auto at = [&](const char* name) { return folder.path / name; };
  const std::string images = idx_images(3), labels = idx_labels(3);
  const std::string packed = gzip(at("x"), labels);
  const auto check_split = [&] {
    const auto split = cnn::load(folder.path);
    CHECK(split.train.channels == 1);
    CHECK(split.train.size() == 3);
    CHECK(split.train.pixels == split.test.pixels);
    CHECK(split.train.image(1)[0] == 0);
    CHECK(split.train.image(1)[2 * 32 + 2] == 1 + 784 % 250);
  };
  for (const char* const name : {"train", "t10k"}) {
    spit(folder.path / (std::string(name) + "-images-idx3-ubyte"), images);
    spit(folder.path / (std::string(name) + "-labels-idx1-ubyte"), labels);
  }
  check_split();

  const auto fails = [&](const char* name, const std::string& bytes) {
    spit(at(name), bytes);
    const std::string what = error([&] { cnn::load(folder.path); });
    CHECK(contains(what, at(name).string()));
    return what;
  };
  for (std::size_t n = 0; n < labels.size(); ++n)
    fails("train-labels-idx1-ubyte", labels.substr(0, n));
  std::string bad = labels;
  bad[8 + 1] = 10;
  CHECK(contains(fails("train-labels-idx1-ubyte", bad), "record 1: label 10"));
  CHECK(
      contains(fails("train-labels-idx1-ubyte", idx_labels(2)), "2 labels for 3 images"));
  spit(at("train-labels-idx1-ubyte"), labels);
  bad = images;
  bad[4] = 127;  // two thousand million images must not be allocated
  CHECK(contains(fails("t10k-images-idx3-ubyte", bad), "dimension"));
  bad = images;
  bad[11] = 29;
  CHECK(contains(fails("t10k-images-idx3-ubyte", bad), "bytes of data, its header says"));
  CHECK(contains(error([&] { cnn::load(folder.path / "none"); }), "none"));

  for (const char* const name : {"train", "t10k"}) {
    spit(folder.path / (std::string(name) + "-images-idx3-ubyte.gz"),
         gzip(at("x"), images));
    spit(folder.path / (std::string(name) + "-labels-idx1-ubyte.gz"), packed);
  }
  check_split();
  for (std::size_t n = 0; n < packed.size(); ++n)
    fails("t10k-labels-idx1-ubyte.gz", packed.substr(0, n));
  // Up to byte 10 are the time, the system and such; a few bits after it only fill up.
  int noticed = 0;
  for (std::size_t i = 10; i < packed.size(); ++i) {
    std::string changed = packed;
    changed[i] = char(changed[i] ^ 0x10);
    spit(at("t10k-labels-idx1-ubyte.gz"), changed);
    cnn::Split split;
    const std::string what = error([&] { split = cnn::load(folder.path); });
    if (what == "no error") {
      CHECK(split.test.labels == std::vector<std::int32_t>{0, 1, 2});
      continue;
    }
    CHECK(contains(what, at("t10k-labels-idx1-ubyte.gz").string()));
    ++noticed;
  }
  CHECK(noticed >= int(packed.size()) - 12);
}

TEST_CASE("the generator repeats itself, for any number of images, and is balanced") {
  const cnn::GeneratorOptions options{.train = 36, .test = 12, .seed = 5};
  const auto a = cnn::generate(options), b = cnn::generate(options);
  CHECK(a.train.pixels == b.train.pixels);
  CHECK(a.train.classes == 12);
  for (int c = 0; c < 12; ++c)
    CHECK(std::count(a.train.labels.begin(), a.train.labels.end(), c) == 3);
  CHECK(cnn::generate_images(options, 0, 12).pixels == a.train.first(12).pixels);
  CHECK(a.train.first(12).pixels != a.test.pixels);
  auto other = options;
  other.seed = 6;
  CHECK(cnn::generate(other).train.pixels != a.train.pixels);
  other.shapes = 6;
  CHECK_THROWS_AS(cnn::generate(other), std::invalid_argument);
}

TEST_CASE(
    "whitening: outputs of patches are uncorrelated, and come with their negatives") {
  const auto data = cnn::generate_images({.seed = 4}, 0, 40);
  constexpr cnn::Index k = 3, c = 3, co = 16, n = k * k * c;
  constexpr float mean = 0.4F, deviation = 0.3F;
  std::vector<float> w(n * co);
  cnn::whiten(data, 25, mean, deviation, k, co, w, 0);
  Eigen::MatrixXd moments = Eigen::MatrixXd::Zero(co, co);
  Eigen::VectorXd y(co);
  double count = 0;
  for (cnn::Index i = 0; i < 25; ++i)
    for (cnn::Index r = 0; r + k <= 32; ++r)
      for (cnn::Index x = 0; x + k <= 32; ++x) {
        y.setZero();
        for (cnn::Index a = 0; a < k; ++a)
          for (cnn::Index b = 0; b < k * c; ++b)
            for (cnn::Index o = 0; o < co; ++o)
              y(o) += double(w[std::size_t((a * k * c + b) * co + o)]) *
                      (double(data.image(i)[((r + a) * 32 + x) * c + b]) / 255 -
                       double(mean)) /
                      double(deviation);
        moments += y * y.transpose();
        count += 1;
      }
  moments /= count;
  Eigen::MatrixXd want = Eigen::MatrixXd::Identity(co, co);
  want.topRightCorner(co / 2, co / 2) = -want.topLeftCorner(co / 2, co / 2);
  want.bottomLeftCorner(co / 2, co / 2) = -want.topLeftCorner(co / 2, co / 2);
  CHECK((moments - want).cwiseAbs().maxCoeff() < 1e-4);
  CHECK_THROWS_AS(cnn::whiten(data, 25, mean, deviation, k, 15, w),
                  std::invalid_argument);
  CHECK_THROWS_AS(cnn::whiten(data, 25, mean, deviation, k, 60, w),
                  std::invalid_argument);
  CHECK_THROWS_AS(cnn::whiten(data, 25, mean, deviation, 5, co, w),
                  std::invalid_argument);
}

TEST_CASE("augmentation: identity, range, independence of threads and of the batch") {
  const auto colour = cnn::generate_images({.seed = 9}, 0, 24);
  const auto gray = [&] {
    cnn::Dataset d = colour.first(8);
    d.channels = 1;  // the same bytes as 24 images of one channel
    d.labels.assign(24, 0);
    return d;
  }();
  const Samples samples{7, 3, 3, 23, 0};
  for (const auto* data : {&colour, &gray}) {
    const auto size = std::size_t(data->image_size());
    std::vector<float> plain;
    for (const auto i : samples)
      for (std::size_t k = 0; k < size; ++k)
        plain.push_back(float(data->image(i)[k]) / 255);
    const auto distance = [&](const std::vector<float>& x) {
      float most = 0;
      for (std::size_t k = 0; k < x.size(); ++k)
        most = std::max(most, std::abs(x[k] - plain[k]));
      return most;
    };
    const cnn::SimclrAugment same{
        .min_area = 1, .max_ratio = 1, .flip = 0, .jitter = 0, .gray = 0};
    CHECK(distance(views(same, *data, samples, 1, 0)) < 1e-6F);
    CHECK(distance(views(cnn::SupervisedAugment{.pad = 0, .flip = 0}, *data, samples, 1,
                         0)) < 1e-6F);
    // A jitter of strength 0 changes no more than the rounded coefficients of YIQ.
    auto still = same;
    still.jitter = 1, still.strength = 0;
    CHECK(distance(views(still, *data, samples, 1, 0)) < 3e-3F);
    // Flipped twice is the identity.
    auto flipped = same;
    flipped.flip = 1;
    const auto mirror = views(flipped, *data, samples, 1, 0);
    const int c = data->channels;
    CHECK(mirror[std::size_t(c)] == doctest::Approx(plain[std::size_t(30 * c)]));

    // What one epoch flips the next does not, and some are flipped in each.
    const cnn::SupervisedAugment translate{.pad = 0, .reflect = true, .alternate = true};
    const auto even = views(translate, *data, samples, 1, 4),
               odd = views(translate, *data, samples, 1, 5);
    const auto width = std::size_t(32 * c);
    for (std::size_t line = 0; line < even.size(); line += width)
      for (std::size_t x = 0; x < 32; ++x)
        CHECK(even[line + x * std::size_t(c)] == odd[line + (31 - x) * std::size_t(c)]);
    CHECK(even == views(translate, *data, samples, 1, 6));
    CHECK(even != plain);
    CHECK(odd != plain);
    // Moved by up to two pixels, edges mirrored: each image is one of these.
    const cnn::SupervisedAugment reflect{.pad = 2, .flip = 0, .reflect = true};
    const auto moved = views(reflect, *data, samples, 1, 0);
    const auto outside = [](int k) { return std::abs(31 - std::abs(31 - k)); };
    for (std::size_t s = 0; s < samples.size(); ++s) {
      const auto at = [&](int y, int x) {
        return s * size + std::size_t((y * 32 + x) * c);
      };
      bool found = false;
      for (int dy = -2; dy <= 2; ++dy)
        for (int dx = -2; dx <= 2; ++dx) {
          bool same_pixels = true;
          for (int y = 0; y < 32; ++y)
            for (int x = 0; x < 32; ++x)
              same_pixels = same_pixels &&
                            std::abs(moved[at(y, x)] -
                                     plain[at(outside(y + dy), outside(x + dx))]) < 1e-6F;
          found = found || same_pixels;
        }
      CHECK(found);
    }

    const auto check = [&](const auto& augment) {
      const auto out = views(augment, *data, samples, 1, 0);
      CHECK(*std::min_element(out.begin(), out.end()) >= 0);
      CHECK(*std::max_element(out.begin(), out.end()) <= 1);
      CHECK(views(augment, *data, samples, 1, 1) != out);
      CHECK(views(augment, *data, samples, 2, 0) != out);
      const auto alone = views(augment, *data, {samples[3]}, 1, 0);
      CHECK(
          std::equal(alone.begin(), alone.end(), out.begin() + 3 * std::ptrdiff_t(size)));
#if defined(_OPENMP)
      const int threads = omp_get_max_threads();
      for (const int n : {1, 2, 3}) {
        omp_set_num_threads(n);
        CHECK(views(augment, *data, samples, 1, 0) == out);
      }
      omp_set_num_threads(threads);
#endif
    };
    check(cnn::SimclrAugment{.jitter = 1});
    check(cnn::SupervisedAugment{});
  }
}
