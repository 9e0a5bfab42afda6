// What every peer needs: a participant in ROS_DOMAIN_ID, quality as ROS 2 has it, and a way to wait.
#pragma once
#include <dds/dds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"

static inline dds_entity_t peer_checked(dds_entity_t entity, const char* what) {
  if (entity >= 0) return entity;
  fprintf(stderr, "%s: %s\n", what, dds_strretcode(-entity));
  exit(1);
}

static inline dds_entity_t peer_participant(void) {
  const char* domain = getenv("ROS_DOMAIN_ID");
  return peer_checked(dds_create_participant(domain ? (dds_domainid_t)atoi(domain) : 0, NULL, NULL), "participant");
}

// Reliable, volatile.
static inline dds_qos_t* peer_quality(int depth) {
  dds_qos_t* qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_MSECS(100));
  dds_qset_durability(qos, DDS_DURABILITY_VOLATILE);
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, depth);
  return qos;
}

static inline dds_entity_t peer_writer(dds_entity_t participant, const dds_topic_descriptor_t* type, const char* topic,
                                       int depth) {
  dds_entity_t handle = peer_checked(dds_create_topic(participant, type, topic, NULL, NULL), topic);
  dds_qos_t* qos = peer_quality(depth);
  dds_entity_t writer = peer_checked(dds_create_writer(participant, handle, qos, NULL), "writer");
  dds_delete_qos(qos);
  return writer;
}

static inline dds_entity_t peer_reader(dds_entity_t participant, const dds_topic_descriptor_t* type, const char* topic,
                                       int depth) {
  dds_entity_t handle = peer_checked(dds_create_topic(participant, type, topic, NULL, NULL), topic);
  dds_qos_t* qos = peer_quality(depth);
  dds_entity_t reader = peer_checked(dds_create_reader(participant, handle, qos, NULL), "reader");
  dds_delete_qos(qos);
  return reader;
}

static inline void peer_wait_for_reader(dds_entity_t writer) {
  dds_publication_matched_status_t status;
  for (int i = 0; i < 1000; i++) {
    if (dds_get_publication_matched_status(writer, &status) == 0 && status.current_count > 0) return;
    dds_sleepfor(DDS_MSECS(10));
  }
  fprintf(stderr, "nobody reads\n");
  exit(1);
}

// The next message, lent until peer_return(); ends the process where none comes within ten seconds.
static inline void* peer_take(dds_entity_t reader) {
  for (int i = 0; i < 10000; i++) {
    void* samples[1] = {NULL};
    dds_sample_info_t info;
    const dds_return_t count = dds_take(reader, samples, &info, 1, 1);
    if (count == 1 && info.valid_data) return samples[0];
    if (count == 1) dds_return_loan(reader, samples, 1);
    dds_sleepfor(DDS_MSECS(1));
  }
  fprintf(stderr, "nothing came\n");
  exit(1);
}

static inline void peer_return(dds_entity_t reader, void* sample) { dds_return_loan(reader, &sample, 1); }
