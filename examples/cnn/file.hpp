// examples/cnn/file.hpp - whole files: read, decompress, replace in one step (POSIX).
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace cnn {

using Path = std::filesystem::path;
using Bytes = std::vector<std::uint8_t>;

/// Throws std::runtime_error "file: parts".
template <class... Parts>
[[noreturn]] void bad_file(const Path& file, const Parts&... parts) {
  std::ostringstream text;
  text << file.string() << ": ";
  (text << ... << parts);
  throw std::runtime_error(text.str());
}

/// As bad_file, with the text of an error number.
[[noreturn]] inline void bad_call(const Path& file, const char* what, int error = errno) {
  bad_file(file, what, ": ", std::generic_category().message(error));
}

/// A file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const Path& file, int flags)
      : fd_{::open(file.c_str(), flags | O_CLOEXEC, 0666)} {
    if (fd_ < 0) bad_call(file, "cannot open");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  /// Closing can be the first to tell of a failed write (NFS, quotas), so that it is
  /// checked.
  void close(const Path& file) {
    if (::close(std::exchange(fd_, -1)) != 0) bad_call(file, "cannot close");
  }

 private:
  int fd_;
};

/// The bytes of a regular file.
inline Bytes read_file(const Path& file) {
  const Descriptor fd(file, O_RDONLY | O_NONBLOCK);  // not to wait for a writer of a pipe
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) bad_call(file, "cannot stat");
  if (!S_ISREG(info.st_mode)) bad_file(file, "not a regular file");
  Bytes bytes(static_cast<std::size_t>(info.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const auto got = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) bad_call(file, "cannot read");
    if (got == 0) bad_file(file, "ended at byte ", done, " of ", bytes.size());
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

/// The one member of a gzip file; grows with what really comes out, at most 1032 times
/// the input. Throws std::runtime_error on corruption, truncation and anything after the
/// member.
inline Bytes gunzip(const Path& file, Bytes packed) {
  struct Stream : z_stream {
    Stream() : z_stream{} {}
    ~Stream() { inflateEnd(this); }
  } stream;
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::bad_alloc();  // 16: gzip only
  constexpr std::size_t piece = std::size_t{1} << 18;
  std::size_t fed = 0;
  Bytes bytes, chunk(piece);
  int state = Z_OK;
  while (state == Z_OK) {
    if (stream.avail_in == 0) {
      const std::size_t more = std::min(piece, packed.size() - fed);
      stream.next_in = packed.data() + fed;
      stream.avail_in = static_cast<uInt>(more);
      fed += more;
    }
    stream.next_out = chunk.data();
    stream.avail_out = static_cast<uInt>(piece);
    state = inflate(&stream, Z_NO_FLUSH);  // Z_BUF_ERROR once there is no more input
    bytes.insert(bytes.end(), chunk.data(), stream.next_out);
  }
  if (state == Z_BUF_ERROR)
    bad_file(file, "gzip data end too early, after ", packed.size(), " bytes");
  if (state == Z_MEM_ERROR) throw std::bad_alloc();
  if (state != Z_STREAM_END)
    bad_file(file, "corrupt gzip data before byte ", fed - stream.avail_in, " (",
             stream.msg ? stream.msg : "no details", ")");
  if (const auto left = packed.size() - fed + stream.avail_in; left > 0)
    bad_file(file, left, " bytes after the end of the gzip data");
  return bytes;
}

/// Replaces a file by the parts one after the other, all or nothing: file.tmp is written,
/// flushed to the disk, closed and renamed, then the folder is flushed. On any error
/// file.tmp is removed, the old file stays, and std::runtime_error names the path and the
/// system's reason.
inline void replace_file(const Path& file,
                         std::span<const std::span<const std::uint8_t>> parts) {
  const Path temporary = file.string() + ".tmp";
  struct Remove {  // runs last, after the descriptor is closed
    const Path& path;
    bool armed = false;
    ~Remove() {
      if (armed) ::unlink(path.c_str());
    }
  } remove{temporary};
  // A file.tmp of a killed run is overwritten; a link is not followed to a file of
  // someone else.
  Descriptor fd(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  remove.armed = true;
  for (auto part : parts) {
    while (!part.empty()) {
      const auto put =
          ::write(fd.get(), part.data(), std::min(part.size(), std::size_t{1} << 30));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) bad_call(temporary, "cannot write");
      if (put == 0) bad_call(temporary, "cannot write", EIO);
      part = part.subspan(static_cast<std::size_t>(put));
    }
  }
  if (::fsync(fd.get()) != 0) bad_call(temporary, "cannot flush");
  fd.close(temporary);
  if (::rename(temporary.c_str(), file.c_str()) != 0) bad_call(file, "cannot replace");
  remove.armed = false;

  const Path parent = file.has_parent_path() ? file.parent_path() : Path(".");
  Descriptor folder(parent, O_RDONLY | O_DIRECTORY);
  if (::fsync(folder.get()) != 0 && errno != EINVAL) bad_call(parent, "cannot flush");
  folder.close(parent);
}

inline void replace_file(const Path& file, const std::string& text) {
  const std::span<const std::uint8_t> part{
      reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  replace_file(file, {&part, 1});
}

}  // namespace cnn
