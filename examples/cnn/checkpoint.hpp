// examples/cnn/checkpoint.hpp - tensors and text in a safetensors file, with checksums;
// all or nothing. Layout: length of the header (8 bytes, little-endian), header (JSON,
// padded by spaces to 8 bytes), data. The header maps a name to dtype, shape and
// data_offsets, and __metadata__ to text.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "file.hpp"
#include "tensor.hpp"

namespace cnn {

static_assert(std::endian::native == std::endian::little,
              "checkpoint.hpp: little-endian only");

/// Where the numbers of a tensor are: read by save_checkpoint, written by
/// load_checkpoint.
struct NamedTensor {
  std::string name;
  std::vector<Index> shape;
  std::variant<float*, std::int64_t*, std::uint64_t*> data;  ///< F32, I64, U64.
};

/// Step, configuration and the like. Names that begin with "crc32" are reserved.
using Metadata = std::map<std::string, std::string>;

namespace detail {

using nlohmann::json;

struct TensorEntry {
  std::string dtype;
  std::vector<Index> shape;
  std::size_t begin = 0, end = 0;  // within the data
};

struct Header {
  Metadata metadata;
  std::map<std::string, TensorEntry> tensors;
  std::size_t data = 0;  // where they begin in the file
};

constexpr std::size_t max_header = 100'000'000;  // as in the reference implementation
constexpr const char *header_crc = "crc32", *tensor_crc = "crc32:";

inline std::string crc_text(const void* data, std::size_t size) {
  const auto crc = crc32_z(0, static_cast<const Bytef*>(data), size);
  std::string text(8, '0');
  for (std::size_t i = 0; i < 8; ++i)
    text[i] = "0123456789abcdef"[(crc >> (28 - 4 * i)) & 15];
  return text;
}

inline const char* dtype_of(const NamedTensor& t) {
  constexpr std::array names{"F32", "I64", "U64"};
  return names[t.data.index()];
}
inline std::size_t dtype_size(const std::string& dtype) {  // 0: unknown
  return dtype == "F32" ? 4 : dtype == "I64" || dtype == "U64" ? 8 : 0;
}
inline std::uint8_t* bytes_of(const NamedTensor& t) {
  return std::visit([](auto* p) { return reinterpret_cast<std::uint8_t*>(p); }, t.data);
}

/// Bytes of a tensor, false if they are more than most.
inline bool tensor_bytes(const std::vector<Index>& shape, std::size_t item,
                         std::size_t most, std::size_t& bytes) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) item = 0;
  bytes = item;
  for (const Index dim : shape) {
    if (bytes != 0 && static_cast<std::size_t>(dim) > most / bytes) return false;
    bytes *= static_cast<std::size_t>(dim);
  }
  return bytes <= most;
}

inline std::string shape_text(const std::vector<Index>& shape) {
  return json(shape).dump();
}

/// The header as JSON; names given twice, which the parser would take, are rejected.
inline json parse_header(const Path& file, const char* first, const char* last) {
  std::vector<std::set<std::string>> names;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > 3) bad_file(file, "header is nested too deeply");
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key &&
        !names.back().insert(value.get_ref<const std::string&>()).second)
      bad_file(file, "name ", value.dump(), " is given twice");
    return true;
  };
  try {
    return json::parse(first, last, check);
  } catch (const json::exception& e) {
    bad_file(file, "header is not JSON: ", e.what());
  }
}

/// Every byte of the data belongs to one tensor: no holes, no overlaps, nothing behind.
inline void check_cover(const Path& file, const Header& header, std::size_t data_size) {
  std::vector<std::pair<std::pair<std::size_t, std::size_t>, const std::string*>> parts;
  for (const auto& [name, t] : header.tensors) parts.push_back({{t.begin, t.end}, &name});
  std::sort(parts.begin(), parts.end());
  std::size_t at = 0;
  for (const auto& [range, name] : parts) {
    if (range.first != at)
      bad_file(file, "tensor ", *name, " begins at byte ", range.first,
               range.first < at ? ", overlapping the one before, which ends at "
                                : ", leaving a hole after ",
               at);
    at = range.second;
  }
  if (at != data_size)
    bad_file(file, "tensors end at byte ", at, " of the data, the file at ", data_size);
}

inline TensorEntry parse_tensor(const Path& file, const std::string& name,
                                const json& value, std::size_t data_size) {
  const auto bad = [&](const auto&... parts) {
    bad_file(file, "tensor ", name, ": ", parts...);
  };
  const auto is_unsigned = [](const json& j) {
    return j.is_number_unsigned() && j.get<std::uint64_t>() <= std::uint64_t{1} << 62;
  };
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets"))
    bad("needs exactly dtype, shape, data_offsets");
  const json &dtype = value["dtype"], &shape = value["shape"],
             &range = value["data_offsets"];
  TensorEntry t;
  if (dtype.is_string()) t.dtype = dtype.get<std::string>();
  const std::size_t item = dtype_size(t.dtype);
  if (item == 0) bad("unknown dtype ", dtype.dump());
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_unsigned))
    bad("bad shape ", shape.dump());
  t.shape = shape.get<std::vector<Index>>();
  if (!range.is_array() || range.size() != 2 || !is_unsigned(range[0]) ||
      !is_unsigned(range[1]))
    bad("bad data_offsets ", range.dump());
  t.begin = range[0].get<std::size_t>();
  t.end = range[1].get<std::size_t>();
  if (t.begin > t.end || t.end > data_size)
    bad("data_offsets ", range.dump(), " are not within ", data_size, " bytes of data");
  std::size_t bytes = 0;
  if (!tensor_bytes(t.shape, item, data_size, bytes))
    bad("shape ", shape.dump(), " needs more than the ", data_size, " bytes of data");
  if (bytes != t.end - t.begin)
    bad("shape ", shape.dump(), " needs ", bytes, " bytes, data_offsets ", range.dump());
  return t;
}

/// All checks that need no knowledge of what the file should hold, checksums included.
inline Header parse_checkpoint(const Path& file, const Bytes& bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < 8) bad_file(file, "cut off: ", bytes.size(), " bytes, no header");
  std::memcpy(&length, bytes.data(), 8);
  if (length > max_header || length > bytes.size() - 8)
    bad_file(file, "header of ", length, " bytes in a file of ", bytes.size());
  const auto* const text = reinterpret_cast<const char*>(bytes.data()) + 8;
  if (length == 0 || text[0] != '{') bad_file(file, "header does not begin with {");
  json root = parse_header(file, text, text + length);

  Header header;
  header.data = 8 + static_cast<std::size_t>(length);
  const std::size_t data_size = bytes.size() - header.data;
  for (const auto& [name, value] : root.items()) {
    if (name != "__metadata__") {
      header.tensors.emplace(name, parse_tensor(file, name, value, data_size));
      continue;
    }
    if (!value.is_object()) bad_file(file, "__metadata__ is not an object");
    for (const auto& [key, text_value] : value.items()) {
      if (!text_value.is_string())
        bad_file(file, "__metadata__ ", key, " is not a string");
      header.metadata.emplace(key, text_value.get<std::string>());
    }
  }
  check_cover(file, header, data_size);

  const auto take_crc = [&](const std::string& key) {
    auto node = header.metadata.extract(key);
    if (!node) bad_file(file, "no checksum ", key);
    return node.mapped();
  };
  const std::string crc = take_crc(header_crc);
  root["__metadata__"].erase(header_crc);
  const std::string rest = root.dump();
  if (crc != crc_text(rest.data(), rest.size()))
    bad_file(file, "checksum of the header is wrong");
  for (const auto& [name, t] : header.tensors)
    if (take_crc(tensor_crc + name) !=
        crc_text(bytes.data() + header.data + t.begin, t.end - t.begin))
      bad_file(file, "checksum of tensor ", name, " is wrong");
  return header;
}

}  // namespace detail

/// Writes tensors and metadata. The same content gives the same bytes, whatever the order
/// of the tensors. Throws std::invalid_argument for names that are taken or not UTF-8,
/// and as replace_file does: then the file is as it was before.
inline void save_checkpoint(const Path& file, std::span<const NamedTensor> tensors,
                            const Metadata& metadata = {}) {
  using detail::json;
  for (const auto& [key, value] : metadata)
    hcl::expect(!key.starts_with(detail::header_crc), "save_checkpoint: metadata ", key);
  std::vector<const NamedTensor*> order;
  for (const auto& t : tensors) order.push_back(&t);
  const auto rank =
      [](const NamedTensor* t) {  // wide numbers first, so that all are aligned
        return std::pair<bool, const std::string&>(t->data.index() == 0, t->name);
      };
  std::sort(order.begin(), order.end(),
            [&rank](const auto* a, const auto* b) { return rank(a) < rank(b); });

  json root = json::object();
  json& notes = root["__metadata__"] = metadata.empty() ? json::object() : json(metadata);
  std::vector<std::span<const std::uint8_t>> parts(1);
  std::size_t at = 0;
  for (const NamedTensor* const t : order) {
    hcl::expect(!root.contains(t->name), "save_checkpoint: name ", t->name, " is taken");
    std::size_t bytes = 0;
    const std::string dtype = detail::dtype_of(*t);
    hcl::expect(
        std::all_of(t->shape.begin(), t->shape.end(), [](Index d) { return d >= 0; }) &&
            detail::tensor_bytes(t->shape, detail::dtype_size(dtype),
                                 (std::size_t{1} << 62) - at, bytes),
        "save_checkpoint: ", t->name, " has shape ", detail::shape_text(t->shape));
    const auto* const data = detail::bytes_of(*t);
    root[t->name] = {
        {"dtype", dtype}, {"shape", t->shape}, {"data_offsets", {at, at + bytes}}};
    notes[detail::tensor_crc + t->name] = detail::crc_text(data, bytes);
    parts.emplace_back(data, bytes);
    at += bytes;
  }
  std::string text;
  try {
    text = root.dump();
    notes[detail::header_crc] = detail::crc_text(text.data(), text.size());
    text = root.dump();
  } catch (const json::exception& e) {
    hcl::fail("save_checkpoint: a name or metadata is not UTF-8: ", e.what());
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  hcl::expect(text.size() <= detail::max_header, "save_checkpoint: header of ",
              text.size(), " bytes");
  const std::uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), 8);
  parts[0] = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  replace_file(file, parts);
}

/// The metadata alone, after all checks of the file: to know what to build before loading
/// it.
inline Metadata read_checkpoint_metadata(const Path& file) {
  return detail::parse_checkpoint(file, read_file(file)).metadata;
}

/// Fills the tensors and returns the metadata. The file must hold exactly these names,
/// with these dtypes and shapes. Throws std::runtime_error that names file, tensor and
/// fault; then nothing has been written to.
inline Metadata load_checkpoint(const Path& file, std::span<const NamedTensor> tensors) {
  const Bytes bytes = read_file(file);
  detail::Header header = detail::parse_checkpoint(file, bytes);
  std::set<std::string> expected;
  for (const auto& t : tensors) {
    hcl::expect(expected.insert(t.name).second, "load_checkpoint: name ", t.name,
                " is taken");
    const auto found = header.tensors.find(t.name);
    if (found == header.tensors.end()) bad_file(file, "tensor ", t.name, " is missing");
    const auto& [dtype, shape, begin, end] = found->second;
    if (dtype != detail::dtype_of(t) || shape != t.shape)
      bad_file(file, "tensor ", t.name, " is ", dtype, " ", detail::shape_text(shape),
               ", expected ", detail::dtype_of(t), " ", detail::shape_text(t.shape));
  }
  for (const auto& [name, t] : header.tensors)
    if (!expected.contains(name)) bad_file(file, "tensor ", name, " is unexpected");
  for (const auto& t : tensors) {
    const auto& from = header.tensors.at(t.name);
    if (from.end > from.begin)
      std::memcpy(detail::bytes_of(t), bytes.data() + header.data + from.begin,
                  from.end - from.begin);
  }
  return std::move(header.metadata);
}

}  // namespace cnn
