#include "transport/cdr_type.h"

extern "C" {
#include <dds/ddsi/ddsi_serdata.h>
#include <dds/ddsi/ddsi_sertype.h>
#include <dds/ddsi/q_radmin.h>
}

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>

#include "core/error.h"

// These callbacks run inside of Cyclone DDS, which is C: none of them throws.
namespace vernier::transport {
namespace {

// The bytes follow the struct in the same piece of memory.
struct CdrSample : ddsi_serdata {
  dds_time_t arrived = 0;
  std::uint32_t size = 0;

  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
};

const CdrSample* cast(const ddsi_serdata* sample) { return static_cast<const CdrSample*>(sample); }

// Its bytes are zeros; nullptr where memory is short or the size is none that DDS can send.
CdrSample* allocate(const ddsi_sertype* type, ddsi_serdata_kind kind, std::size_t size) {
  if (size > std::numeric_limits<std::uint32_t>::max() - 8) return nullptr;
  const std::size_t padded = (size + 3) & ~std::size_t{3};
  void* memory = ::operator new(sizeof(CdrSample) + padded, std::nothrow);
  if (memory == nullptr) return nullptr;
  std::memset(memory, 0, sizeof(CdrSample) + padded);
  auto* sample = new (memory) CdrSample;
  ddsi_serdata_init(sample, type, kind);
  sample->hash = type->serdata_basehash;
  sample->arrived = dds_time();
  sample->size = static_cast<std::uint32_t>(size);
  return sample;
}

ddsi_serdata* fromFragments(const ddsi_sertype* type, ddsi_serdata_kind kind, const nn_rdata* fragment,
                            std::size_t size) {
  CdrSample* sample = allocate(type, kind, size);
  if (sample == nullptr) return nullptr;
  std::size_t written = 0;
  for (; fragment != nullptr; fragment = fragment->nextfrag) {
    const std::size_t end = std::min<std::size_t>(fragment->maxp1, size);
    // Fragments come in order and may overlap; one behind a gap would leave zeros, and DDS sends none.
    const std::size_t start = std::max<std::size_t>(fragment->min, written);
    if (end <= start) continue;
    const std::uint8_t* payload = NN_RMSG_PAYLOADOFF(fragment->rmsg, NN_RDATA_PAYLOAD_OFF(fragment));
    std::memcpy(sample->data() + start, payload + (start - fragment->min), end - start);
    written = end;
  }
  return sample;
}

ddsi_serdata* fromPieces(const ddsi_sertype* type, ddsi_serdata_kind kind, ddsrt_msg_iovlen_t count,
                         const ddsrt_iovec_t* pieces, std::size_t size) {
  CdrSample* sample = allocate(type, kind, size);
  if (sample == nullptr) return nullptr;
  std::size_t written = 0;
  for (ddsrt_msg_iovlen_t i = 0; i < count && written < size; ++i) {
    const std::size_t length = std::min<std::size_t>(pieces[i].iov_len, size - written);
    std::memcpy(sample->data() + written, pieces[i].iov_base, length);
    written += length;
  }
  return sample;
}

ddsi_serdata* fromKeyhash(const ddsi_sertype* type, const ddsi_keyhash*) { return allocate(type, SDK_KEY, 0); }

// What stands for "the instance" of a topic without key.
ddsi_serdata* toUntyped(const ddsi_serdata* sample) {
  CdrSample* untyped = allocate(sample->type, SDK_KEY, 0);
  if (untyped != nullptr) untyped->type = nullptr;
  return untyped;
}

void toBuffer(const ddsi_serdata* sample, std::size_t offset, std::size_t size, void* out) {
  std::memcpy(out, cast(sample)->data() + offset, size);
}

ddsi_serdata* toReference(const ddsi_serdata* sample, std::size_t offset, std::size_t size, ddsrt_iovec_t* out) {
  out->iov_base = const_cast<std::uint8_t*>(cast(sample)->data() + offset);
  out->iov_len = size;
  return ddsi_serdata_ref(sample);
}

void dropReference(ddsi_serdata* sample, const ddsrt_iovec_t*) { ddsi_serdata_unref(sample); }

void freeSample(ddsi_serdata* sample) {
  auto* whole = static_cast<CdrSample*>(sample);
  whole->~CdrSample();
  ::operator delete(whole);
}

std::uint32_t sampleSize(const ddsi_serdata* sample) { return cast(sample)->size; }

std::size_t print(const ddsi_sertype*, const ddsi_serdata* sample, char* out, std::size_t size) {
  return static_cast<std::size_t>(std::snprintf(out, size, "(%u bytes of CDR)", cast(sample)->size));
}

// Samples exist as bytes only: there is nothing to convert them to or from.
ddsi_serdata* fromStruct(const ddsi_sertype*, ddsi_serdata_kind, const void*) { return nullptr; }
bool toStruct(const ddsi_serdata*, void*, void**, void*) { return false; }
bool untypedToStruct(const ddsi_sertype*, const ddsi_serdata*, void*, void**, void*) { return true; }

constexpr ddsi_serdata_ops kSampleOperations = [] {
  ddsi_serdata_ops operations{};
  operations.eqkey = [](const ddsi_serdata*, const ddsi_serdata*) { return true; };
  operations.get_size = sampleSize;
  operations.from_ser = fromFragments;
  operations.from_ser_iov = fromPieces;
  operations.from_keyhash = fromKeyhash;
  operations.from_sample = fromStruct;
  operations.to_ser = toBuffer;
  operations.to_ser_ref = toReference;
  operations.to_ser_unref = dropReference;
  operations.to_sample = toStruct;
  operations.to_untyped = toUntyped;
  operations.untyped_to_sample = untypedToStruct;
  operations.free = freeSample;
  operations.print = print;
  operations.get_keyhash = [](const ddsi_serdata*, ddsi_keyhash* out, bool) { std::memset(out, 0, sizeof *out); };
  return operations;
}();

constexpr ddsi_sertype_ops kTypeOperations = [] {
  ddsi_sertype_ops operations{};
  operations.version = ddsi_sertype_v0;
  operations.free = [](ddsi_sertype* type) {
    ddsi_sertype_fini(type);
    delete type;
  };
  operations.zero_samples = [](const ddsi_sertype*, void*, std::size_t) {};
  operations.realloc_samples = [](void** out, const ddsi_sertype*, void*, std::size_t, std::size_t count) {
    std::fill_n(out, count, nullptr);
  };
  operations.free_samples = [](const ddsi_sertype*, void**, std::size_t, dds_free_op_t) {};
  // Called for types of the same name only.
  operations.equal = [](const ddsi_sertype*, const ddsi_sertype*) { return true; };
  operations.hash = [](const ddsi_sertype*) -> std::uint32_t { return 0; };
  return operations;
}();

}  // namespace

ddsi_sertype* makeCdrType(const std::string& name) {
  auto* type = new ddsi_sertype{};
  ddsi_sertype_init(type, name.c_str(), &kTypeOperations, &kSampleOperations, /*topickind_no_key=*/true);
  type->allowed_data_representation = DDS_DATA_REPRESENTATION_FLAG_XCDR1;
  return type;
}

ddsi_serdata* makeCdrSample(const ddsi_sertype* type, std::span<const std::uint8_t> bytes) {
  CdrSample* sample = allocate(type, SDK_DATA, bytes.size());
  if (sample == nullptr)
    throw Error("BACKEND", "no memory for a message of " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(sample->data(), bytes.data(), bytes.size());
  return sample;
}

std::span<const std::uint8_t> bytesOf(const ddsi_serdata* sample) { return {cast(sample)->data(), cast(sample)->size}; }

dds_time_t arrivedAt(const ddsi_serdata* sample) { return cast(sample)->arrived; }

}  // namespace vernier::transport
