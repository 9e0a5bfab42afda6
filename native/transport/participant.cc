#include "transport/participant.h"

extern "C" {
#include <dds/ddsi/ddsi_serdata.h>
#include <dds/ddsi/ddsi_sertype.h>
}

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "transport/cdr_type.h"

namespace vernier::transport {
namespace {

// A subscriber that does not keep up holds the writing thread for this long at most.
constexpr dds_duration_t kLongestBlock = DDS_MSECS(20);
// Messages taken from DDS at once.
constexpr std::int32_t kBatch = 16;

struct DeleteQos {
  void operator()(dds_qos_t* qos) const { dds_delete_qos(qos); }
};
using Qos = std::unique_ptr<dds_qos_t, DeleteQos>;

struct DeleteListener {
  void operator()(dds_listener_t* listener) const { dds_delete_listener(listener); }
};
using Listener = std::unique_ptr<dds_listener_t, DeleteListener>;

struct FreeEndpoint {
  void operator()(dds_builtintopic_endpoint_t* endpoint) const { dds_builtintopic_free_endpoint(endpoint); }
};
using MatchedEndpoint = std::unique_ptr<dds_builtintopic_endpoint_t, FreeEndpoint>;

Error refusal(const std::string& what, dds_return_t code) {
  return {"BACKEND", what + ": " + dds_strretcode(code < 0 ? -code : code)};
}

void check(dds_return_t code, const std::string& what) {
  if (code < 0) throw refusal(what, code);
}

Qos toQos(const Quality& quality) {
  Qos qos(dds_create_qos());
  dds_qset_reliability(qos.get(), quality.reliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT,
                       kLongestBlock);
  dds_qset_durability(qos.get(), quality.transientLocal ? DDS_DURABILITY_TRANSIENT_LOCAL : DDS_DURABILITY_VOLATILE);
  dds_qset_history(qos.get(), DDS_HISTORY_KEEP_LAST, quality.depth);
  // What a late subscriber gets.
  if (quality.transientLocal) {
    dds_qset_durability_service(qos.get(), 0, DDS_HISTORY_KEEP_LAST, quality.depth, DDS_LENGTH_UNLIMITED,
                                DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
  }
  if (quality.deadline > 0) dds_qset_deadline(qos.get(), quality.deadline);
  if (!quality.userData.empty()) dds_qset_userdata(qos.get(), quality.userData.data(), quality.userData.size());
  return qos;
}

// The value of `key=value;` in what the other side tells beside its endpoint; empty without.
std::string clientId(const dds_qos_t* qos) {
  void* data = nullptr;
  std::size_t size = 0;
  if (qos == nullptr || !dds_qget_userdata(qos, &data, &size) || data == nullptr) return {};
  const std::string text(static_cast<const char*>(data), size);
  dds_free(data);
  constexpr std::string_view key = "clientid=";
  const std::size_t start = text.find(key);
  if (start == std::string::npos || (start > 0 && text[start - 1] != ';')) return {};
  const std::size_t value = start + key.size();
  return text.substr(value, text.find(';', value) - value);
}

std::string policyName(std::uint32_t policy) {
  switch (policy) {
    case DDS_DURABILITY_QOS_POLICY_ID:
      return "durability";
    case DDS_DEADLINE_QOS_POLICY_ID:
      return "deadline";
    case DDS_RELIABILITY_QOS_POLICY_ID:
      return "reliability";
    default:
      return "policy " + std::to_string(policy);
  }
}

std::vector<dds_instance_handle_t> matchedReaders(dds_entity_t writer) {
  std::vector<dds_instance_handle_t> handles(8);
  for (;;) {
    const dds_return_t count = dds_get_matched_subscriptions(writer, handles.data(), handles.size());
    check(count, "matched subscribers");
    const bool all = static_cast<std::size_t>(count) <= handles.size();
    handles.resize(static_cast<std::size_t>(count));
    if (all) return handles;
  }
}

// Taken samples, released when they go out of scope.
struct Batch {
  std::array<ddsi_serdata*, kBatch> samples{};
  std::array<dds_sample_info_t, kBatch> infos;
  dds_return_t count = 0;

  Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    for (dds_return_t i = 0; i < count; ++i) ddsi_serdata_unref(samples[i]);
  }
};

}  // namespace

Entity::Entity(dds_entity_t created, const std::string& what) : handle_(created) {
  if (created < 0) throw refusal(what, created);
}

Entity::~Entity() {
  if (handle_ > 0) dds_delete(handle_);
}

struct Participant::Endpoint {
  Endpoint(Participant* of, int number, std::int32_t most, bool reads)
      : owner(of), id(number), depth(most), isReader(reads) {}

  Participant* owner;
  int id;
  std::int32_t depth;
  bool isReader;
  // Kept by the topic.
  const ddsi_sertype* type = nullptr;
  // Whether it stands in ready_.
  std::atomic<bool> isReady = false;
  Entity topic;
  Entity entity;
};

Participant::Participant(std::uint32_t domain, const std::string& userData, std::function<void()> wake)
    : wake_(std::move(wake)) {
  Qos qos(dds_create_qos());
  dds_qset_userdata(qos.get(), userData.data(), userData.size());
  participant_ = Entity(dds_create_participant(domain, qos.get(), nullptr),
                        "Cyclone DDS opened no participant in domain " + std::to_string(domain));
}

Participant::~Participant() = default;

const Participant::Endpoint& Participant::at(int endpoint) const {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end()) throw Error("STATE", "the endpoint is closed");
  return *found->second;
}

Entity Participant::makeTopic(const std::string& topic, const std::string& type, const ddsi_sertype** outType) const {
  ddsi_sertype* made = makeCdrType(type);
  ddsi_sertype* used = made;
  const dds_entity_t handle =
      dds_create_topic_sertype(participant_.handle(), topic.c_str(), &used, nullptr, nullptr, nullptr);
  if (handle < 0) ddsi_sertype_unref(made);
  if (outType != nullptr) *outType = used;
  return {handle, "topic " + topic + " of type " + type};
}

int Participant::addWriter(const std::string& topic, const std::string& type, const Quality& quality) {
  auto endpoint = std::make_unique<Endpoint>(this, nextEndpoint_, quality.depth, /*reads=*/false);
  endpoint->topic = makeTopic(topic, type, &endpoint->type);
  endpoint->entity =
      Entity(dds_create_writer(participant_.handle(), endpoint->topic.handle(), toQos(quality).get(), nullptr),
             "writer of " + topic);
  endpoints_.emplace(nextEndpoint_, std::move(endpoint));
  return nextEndpoint_++;
}

int Participant::addReader(const std::string& topic, const std::string& type, const Quality& quality) {
  auto endpoint = std::make_unique<Endpoint>(this, nextEndpoint_, quality.depth, /*reads=*/true);
  endpoint->topic = makeTopic(topic, type, nullptr);
  const Listener listener(dds_create_listener(nullptr));
  dds_lset_data_available_arg(listener.get(), &Participant::onData, endpoint.get(), /*reset_on_invoke=*/true);
  endpoint->entity =
      Entity(dds_create_reader(participant_.handle(), endpoint->topic.handle(), toQos(quality).get(), listener.get()),
             "reader of " + topic);
  endpoints_.emplace(nextEndpoint_, std::move(endpoint));
  return nextEndpoint_++;
}

void Participant::remove(int endpoint) { endpoints_.erase(endpoint); }

void Participant::write(int writer, std::span<const std::uint8_t> bytes) {
  const Endpoint& endpoint = at(writer);
  if (endpoint.isReader) throw Error("USAGE", "write: expected a writer");
  const dds_return_t code = dds_writecdr(endpoint.entity.handle(), makeCdrSample(endpoint.type, bytes));
  if (code == DDS_RETCODE_TIMEOUT) throw Error("TIMEOUT", "a reliable subscriber does not keep up with what is sent");
  check(code, "write");
}

void Participant::onData(dds_entity_t, void* endpoint) {
  auto& reader = *static_cast<Endpoint*>(endpoint);
  reader.owner->signal(reader);
}

void Participant::signal(Endpoint& reader) {
  if (reader.isReady.exchange(true)) return;
  bool first = false;
  {
    const std::lock_guard lock(readyMutex_);
    first = ready_.empty();
    ready_.push_back(reader.id);
  }
  if (first) wake_();
}

void Participant::deliver(const std::function<bool(const Message&)>& visit) {
  std::vector<int> ready;
  {
    const std::lock_guard lock(readyMutex_);
    ready.swap(ready_);
  }
  for (const int reader : ready) {
    if (!deliverFrom(reader, visit)) return;
  }
}

bool Participant::deliverFrom(int reader, const std::function<bool(const Message&)>& visit) {
  const auto found = endpoints_.find(reader);
  if (found == endpoints_.end()) return true;
  // From here on what comes signals again.
  found->second->isReady = false;
  const dds_entity_t handle = found->second->entity.handle();
  const std::int32_t depth = found->second->depth;
  std::int32_t taken = 0;
  while (taken < depth) {
    Batch batch;
    const auto most = static_cast<std::uint32_t>(std::min(kBatch, depth - taken));
    batch.count = dds_takecdr(handle, batch.samples.data(), most, batch.infos.data(), DDS_ANY_STATE);
    if (batch.count <= 0) return true;
    taken += batch.count;
    for (dds_return_t i = 0; i < batch.count; ++i) {
      const dds_sample_info_t& info = batch.infos[i];
      // Without data: a writer left.
      if (!info.valid_data) continue;
      const ddsi_serdata* sample = batch.samples[i];
      if (!visit({.reader = reader,
                  .bytes = bytesOf(sample),
                  .sent = info.source_timestamp,
                  .arrived = arrivedAt(sample),
                  .writer = info.publication_handle}))
        return false;
      if (!endpoints_.contains(reader)) return true;
    }
  }
  // More may wait: other readers come first.
  signal(*endpoints_.at(reader));
  return true;
}

std::uint32_t Participant::matched(int endpoint) const {
  const Endpoint& found = at(endpoint);
  if (found.isReader) {
    dds_subscription_matched_status_t status{};
    check(dds_get_subscription_matched_status(found.entity.handle(), &status), "matched publishers");
    return status.current_count;
  }
  dds_publication_matched_status_t status{};
  check(dds_get_publication_matched_status(found.entity.handle(), &status), "matched subscribers");
  return status.current_count;
}

std::uint32_t Participant::deadlineMisses(int reader) const {
  const Endpoint& found = at(reader);
  if (!found.isReader) throw Error("USAGE", "deadlineMisses: expected a reader");
  dds_requested_deadline_missed_status_t status{};
  check(dds_get_requested_deadline_missed_status(found.entity.handle(), &status), "missed deadlines");
  return status.total_count;
}

std::string Participant::misfit(int endpoint) const {
  const Endpoint& found = at(endpoint);
  if (found.isReader) {
    dds_requested_incompatible_qos_status_t status{};
    check(dds_get_requested_incompatible_qos_status(found.entity.handle(), &status), "publishers that do not fit");
    return status.total_count == 0 ? "" : policyName(status.last_policy_id);
  }
  dds_offered_incompatible_qos_status_t status{};
  check(dds_get_offered_incompatible_qos_status(found.entity.handle(), &status), "subscribers that do not fit");
  return status.total_count == 0 ? "" : policyName(status.last_policy_id);
}

std::array<std::uint8_t, 16> Participant::guid(int endpoint) const {
  dds_guid_t guid{};
  check(dds_get_guid(endpoint < 0 ? participant_.handle() : at(endpoint).entity.handle(), &guid), "identifier");
  return std::to_array(guid.v);
}

bool Participant::reaches(int reader, dds_instance_handle_t requester, int writer) const {
  const MatchedEndpoint from(dds_get_matched_publication_data(at(reader).entity.handle(), requester));
  if (!from) return true;
  const std::string id = clientId(from->qos);
  const dds_entity_t handle = at(writer).entity.handle();
  return std::ranges::any_of(matchedReaders(handle), [&](dds_instance_handle_t candidate) {
    const MatchedEndpoint to(dds_get_matched_subscription_data(handle, candidate));
    return to && std::ranges::equal(to->participant_key.v, from->participant_key.v) &&
           (id.empty() || clientId(to->qos) == id);
  });
}

}  // namespace vernier::transport
