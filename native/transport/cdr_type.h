// The type that Cyclone DDS is told of: a sample is the bytes of CDR that came or go, never looked into.
#pragma once
#include <dds/dds.h>

#include <cstdint>
#include <span>
#include <string>

struct ddsi_serdata;
struct ddsi_sertype;

namespace vernier::transport {

// A new type without key that admits XCDR version 1 only; the caller owns one reference.
ddsi_sertype* makeCdrType(const std::string& name);

// A new sample of the type with a copy of the bytes, padded to four with zeros; the caller owns one reference.
// Throws Error where memory is short.
ddsi_serdata* makeCdrSample(const ddsi_sertype* type, std::span<const std::uint8_t> bytes);

// Four bytes of header and the body; valid while the sample is referenced.
std::span<const std::uint8_t> bytesOf(const ddsi_serdata* sample);

// When the sample was made from what came over the network: dds_time() at that moment.
dds_time_t arrivedAt(const ddsi_serdata* sample);

}  // namespace vernier::transport
