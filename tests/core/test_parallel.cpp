// Loops over threads: shares, exceptions, and a process that was forked.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "hcl/loss/nt_xent.hpp"
#include "hcl/similarity/neg_dist.hpp"

#if defined(_OPENMP)
#include <omp.h>
#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif
#endif

namespace {

/// f() with 1, 2, 3 and 5 threads.
template <class F>
void with_threads(const F& f) {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  for (const int threads : {1, 2, 3, 5}) {
    CAPTURE(threads);
    omp_set_num_threads(threads);
    f();
  }
  omp_set_num_threads(before);
#else
  f();
#endif
}

TEST_CASE("every index once, in one share a thread") {
  with_threads([] {
    for (const int n : {0, 1, 2, 3, 4, 5, 7, 100}) {
      const auto size = static_cast<std::size_t>(n);
      std::vector<int> seen(size), thread_of(size);
      hcl::parallel_for(n, [&](std::ptrdiff_t i, int thread) {
        ++seen[static_cast<std::size_t>(i)];
        thread_of[static_cast<std::size_t>(i)] = thread;
      });
      CHECK(seen == std::vector<int>(size, 1));
      CHECK(std::is_sorted(thread_of.begin(), thread_of.end()));
      for (const int t : thread_of) CHECK((t >= 0 && t < hcl::max_threads()));
    }
  });
}

TEST_CASE("an exception of a loop comes out of it, the first by index") {
  struct Thrown {
    std::ptrdiff_t at;
  };
  with_threads([] {
    std::ptrdiff_t at = -1;
    try {
      hcl::parallel_for(100, [](std::ptrdiff_t i) {
        if (i == 13 || i > 30) throw Thrown{i};
      });
    } catch (const Thrown& thrown) {
      at = thrown.at;
    }
    CHECK(at == 13);
  });
}

/// A metric that knows a row it cannot take.
struct Picky {
  using Scalar = double;
  bool backward_only = false;
  [[nodiscard]] double dist(hcl::Point<double> x, hcl::Point<double> y) const {
    if (!backward_only) look(x), look(y);
    return std::abs(x[0] - y[0]);
  }
  void dist_vjp(hcl::Point<double> x, hcl::Point<double> y, double g,
                hcl::Grad<double> gx, hcl::Grad<double> gy, double&) const {
    look(x), look(y);
    const double k = x[0] > y[0] ? g : x[0] < y[0] ? -g : 0;
    gx[0] += k, gy[0] -= k;
  }
  static void look(hcl::Point<double> x) {
    if (x[0] > 300 && x[0] < 400) throw std::domain_error(std::to_string(x[0]));
  }
};

TEST_CASE("a metric that throws: the same from any number of threads, nothing written") {
  const int n = 400;
  std::vector<double> x(n), g(n);
  const hcl::BatchIn<double> rows(x.data(), n, 1);
  const hcl::BatchOut<double> grads(g.data(), n, 1);
  hcl::Workspace ws;
  for (const bool backward_only : {false, true}) {
    const hcl::NtXent loss{hcl::NegDist{Picky{backward_only}}, 50.0};
    std::string first;
    with_threads([&] {
      for (int i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = i;
      g.assign(n, -7.0);
      std::string said;
      try {
        loss.value_and_grad(rows, grads, ws);
      } catch (const std::domain_error& e) {
        said = e.what();
      }
      REQUIRE_FALSE(said.empty());
      if (first.empty()) first = said;
      CHECK(said == first);
      if (!backward_only) CHECK(g == std::vector<double>(n, -7.0));
      // The workspace serves the next call.
      for (double& v : x) v /= 2;
      CHECK(loss.value_and_grad(rows, grads, ws).value > 0);
    });
  }
}

// (ThreadSanitizer's own thread is lost in a child.)
#if defined(__SANITIZE_THREAD__)
#define HCL_TEST_NO_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HCL_TEST_NO_FORK 1
#endif
#endif
#if defined(_OPENMP) && defined(__unix__) && !defined(HCL_TEST_NO_FORK)
/// What a child makes of the loss after prepare(), in a process of its own.
template <class F>
bool child_agrees(const hcl::BatchIn<double>& rows, double value, const F& prepare) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // a child that hangs ends by it
    prepare();
    const hcl::NtXent loss{hcl::NegDist{Picky{}}, 50.0};
    _exit(loss.value(rows) == value ? 0 : 1);
  }
  int status = -1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

TEST_CASE("a forked child works with one thread, or if the parent had none alive") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  std::vector<double> x(200);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  const hcl::BatchIn<double> rows(x.data(), 200, 1);
  const hcl::NtXent loss{hcl::NegDist{Picky{}}, 50.0};
  const double value = loss.value(rows);
  CHECK(child_agrees(rows, value, [] { omp_set_num_threads(1); }));
#if _OPENMP >= 201811 || (defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 9)
  CHECK(omp_pause_resource_all(omp_pause_hard) == 0);
  omp_set_num_threads(3);
  CHECK(child_agrees(rows, value, [] {}));
  CHECK(loss.value(rows) == value);
#endif
  omp_set_num_threads(before);
}
#endif

}  // namespace
