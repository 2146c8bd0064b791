// examples/cifar/progress.hpp - a bar with rate and time left; nothing when nobody
// watches.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace cifar {

class Progress {
 public:
  Progress(std::string what, long total, long done = 0)
      : what_{std::move(what)},
        total_{total},
        first_{done},
        shown_{isatty(STDERR_FILENO) != 0} {}
  ~Progress() {
    if (shown_ && drawn_) std::fprintf(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// done of total steps, images samples each; note is shown behind the bar.
  void show(long done, const std::string& note = "") {
    if (!shown_) return;
    const auto now = Clock::now();
    if (done < total_ && drawn_ && now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now, drawn_ = true;
    const double s = std::chrono::duration<double>(now - start_).count();
    const double rate = double(done - first_) / (s > 0 ? s : 1);
    const int width = 30, full = int(width * done / (total_ > 0 ? total_ : 1));
    const double left = rate > 0 ? double(total_ - done) / rate : 0;
    std::fprintf(stderr, "\r%s [%s%s] %ld/%ld  %.1f/s  %d:%02d left  %s\033[K",
                 what_.c_str(), std::string(std::size_t(full), '#').c_str(),
                 std::string(std::size_t(width - full), '.').c_str(), done, total_, rate,
                 int(left) / 60, int(left) % 60, note.c_str());
    std::fflush(stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  long total_, first_;
  bool shown_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace cifar
