// An action's client: sends a goal of /gripper that opens to 0.08, prints each feedback and the result, sends a second
// one, cancels it and prints how it ends, then asks for the result of a goal that nobody sent.
#include "peer.h"

typedef control_msgs_action_dds__GripperCommand_SendGoal_Request_ SendRequest;
typedef control_msgs_action_dds__GripperCommand_SendGoal_Response_ SendResponse;
typedef control_msgs_action_dds__GripperCommand_GetResult_Request_ ResultRequest;
typedef control_msgs_action_dds__GripperCommand_GetResult_Response_ ResultResponse;
typedef control_msgs_action_dds__GripperCommand_FeedbackMessage_ Feedback;
typedef action_msgs_srv_dds__CancelGoal_Request_ CancelRequest;
typedef action_msgs_srv_dds__CancelGoal_Response_ CancelResponse;

enum { client = 77 };
static dds_entity_t send_writer, send_reader, result_writer, result_reader, cancel_writer, cancel_reader, feedback_reader;

static void open_action(dds_entity_t participant) {
  const char* base = "gripper/_action/";
  char name[128];
#define SERVICE(service, type, writer, reader)                                                        \
  snprintf(name, sizeof name, "rq/%s%sRequest", base, service);                                       \
  writer = peer_writer(participant, &type##Request__desc, name, 10);                                  \
  snprintf(name, sizeof name, "rr/%s%sReply", base, service);                                         \
  reader = peer_reader(participant, &type##Response__desc, name, 10);
  SERVICE("send_goal", control_msgs_action_dds__GripperCommand_SendGoal_, send_writer, send_reader)
  SERVICE("get_result", control_msgs_action_dds__GripperCommand_GetResult_, result_writer, result_reader)
  SERVICE("cancel_goal", action_msgs_srv_dds__CancelGoal_, cancel_writer, cancel_reader)
#undef SERVICE
  feedback_reader = peer_reader(participant, &control_msgs_action_dds__GripperCommand_FeedbackMessage__desc,
                                "rt/gripper/_action/feedback", 10);
  peer_wait_for_reader(send_writer);
  peer_wait_for_reader(result_writer);
  peer_wait_for_reader(cancel_writer);
}

static void send_goal(uint8_t id, double position) {
  SendRequest request = {.client_ = client, .sequence_ = id, .goal_.command_ = {position, 40.0}};
  memset(request.goal_id_.octets_, id, 16);
  peer_checked(dds_write(send_writer, &request), "goal");
  SendResponse* response = peer_take(send_reader);
  printf("goal %lld accepted %d stamped %d\n", (long long)response->sequence_, response->accepted_,
         response->stamp_.sec_ > 1600000000);
  peer_return(send_reader, response);
}

static void print_feedback(void) {
  Feedback* feedback = peer_take(feedback_reader);
  printf("feedback of %d at %.3f stalled %d reached %d\n", feedback->goal_id_.octets_[15], feedback->feedback_.position_,
         feedback->feedback_.stalled_, feedback->feedback_.reached_goal_);
  peer_return(feedback_reader, feedback);
}

static void print_result(uint8_t id) {
  ResultRequest request = {.client_ = client, .sequence_ = id};
  memset(request.goal_id_.octets_, id, 16);
  peer_checked(dds_write(result_writer, &request), "result");
  ResultResponse* response = peer_take(result_reader);
  printf("result of %lld status %d at %.3f with %.1f stalled %d reached %d\n", (long long)response->sequence_,
         response->status_, response->result_.position_, response->result_.effort_, response->result_.stalled_,
         response->result_.reached_goal_);
  peer_return(result_reader, response);
}

static void cancel_goal(uint8_t id) {
  CancelRequest request = {.client_ = client, .sequence_ = id};
  memset(request.goal_info_.goal_id_.octets_, id, 16);
  peer_checked(dds_write(cancel_writer, &request), "cancel");
  CancelResponse* response = peer_take(cancel_reader);
  const uint32_t count = response->goals_canceling_._length;
  printf("cancel %lld code %d of %u: %d\n", (long long)response->sequence_, response->return_code_, count,
         count > 0 ? response->goals_canceling_._buffer[0].goal_id_.octets_[0] : -1);
  peer_return(cancel_reader, response);
}

int main(void) {
  const dds_entity_t participant = peer_participant();
  open_action(participant);
  send_goal(1, 0.08);
  print_feedback();
  print_feedback();
  print_result(1);
  send_goal(2, 0.02);
  cancel_goal(2);
  print_result(2);
  cancel_goal(2);
  print_result(9);
  cancel_goal(9);
  send_goal(3, -1);
  dds_delete(participant);
  return 0;
}
