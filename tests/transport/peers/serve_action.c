// An action's server for one goal of /gripper: accepts it, sends two feedbacks, one of another goal between them,
// answers a request to cancel, then the one for the result, whose status says that the goal was cancelled.
#include "peer.h"

typedef control_msgs_action_dds__GripperCommand_SendGoal_Request_ SendRequest;
typedef control_msgs_action_dds__GripperCommand_SendGoal_Response_ SendResponse;
typedef control_msgs_action_dds__GripperCommand_GetResult_Request_ ResultRequest;
typedef control_msgs_action_dds__GripperCommand_GetResult_Response_ ResultResponse;
typedef control_msgs_action_dds__GripperCommand_FeedbackMessage_ Feedback;
typedef action_msgs_srv_dds__CancelGoal_Request_ CancelRequest;
typedef action_msgs_srv_dds__CancelGoal_Response_ CancelResponse;

int main(void) {
  const dds_entity_t participant = peer_participant();
#define SERVICE(service, type, writer, reader)                                                                   \
  const dds_entity_t writer = peer_writer(participant, &type##Response__desc, "rr/gripper/_action/" service "Reply", 10); \
  const dds_entity_t reader = peer_reader(participant, &type##Request__desc, "rq/gripper/_action/" service "Request", 10);
  SERVICE("send_goal", control_msgs_action_dds__GripperCommand_SendGoal_, send_writer, send_reader)
  SERVICE("get_result", control_msgs_action_dds__GripperCommand_GetResult_, result_writer, result_reader)
  SERVICE("cancel_goal", action_msgs_srv_dds__CancelGoal_, cancel_writer, cancel_reader)
#undef SERVICE
  const dds_entity_t feedback_writer = peer_writer(
      participant, &control_msgs_action_dds__GripperCommand_FeedbackMessage__desc, "rt/gripper/_action/feedback", 10);

  SendRequest* goal = peer_take(send_reader);
  printf("goal to %.3f with %.1f\n", goal->goal_.command_.position_, goal->goal_.command_.max_effort_);
  SendResponse accepted = {goal->client_, goal->sequence_, true, {12, 34}};
  peer_wait_for_reader(send_writer);
  peer_checked(dds_write(send_writer, &accepted), "acceptance");

  peer_wait_for_reader(feedback_writer);
  Feedback feedback = {.feedback_ = {0.01, 1.5, false, false}};
  memcpy(feedback.goal_id_.octets_, goal->goal_id_.octets_, 16);
  peer_checked(dds_write(feedback_writer, &feedback), "feedback");
  feedback.goal_id_.octets_[0] ^= 1;
  peer_checked(dds_write(feedback_writer, &feedback), "feedback of another");
  feedback.goal_id_.octets_[0] ^= 1;
  feedback.feedback_.position_ = 0.02;
  feedback.feedback_.stalled_ = true;
  peer_checked(dds_write(feedback_writer, &feedback), "feedback");

  CancelRequest* cancel = peer_take(cancel_reader);
  printf("cancel of the goal %d stamp %d\n",
         memcmp(cancel->goal_info_.goal_id_.octets_, goal->goal_id_.octets_, 16) == 0, cancel->goal_info_.stamp_.sec_);
  CancelResponse cancelling = {.client_ = cancel->client_, .sequence_ = cancel->sequence_, .return_code_ = 0};
  cancelling.goals_canceling_._length = cancelling.goals_canceling_._maximum = 1;
  cancelling.goals_canceling_._buffer = &cancel->goal_info_;
  peer_wait_for_reader(cancel_writer);
  peer_checked(dds_write(cancel_writer, &cancelling), "cancelling");

  ResultRequest* asked = peer_take(result_reader);
  printf("result of the goal %d\n", memcmp(asked->goal_id_.octets_, goal->goal_id_.octets_, 16) == 0);
  ResultResponse result = {asked->client_, asked->sequence_, 5, {0.02, 1.5, true, false}};
  peer_wait_for_reader(result_writer);
  peer_checked(dds_write(result_writer, &result), "result");
  dds_wait_for_acks(result_writer, DDS_SECS(10));
  dds_delete(participant);
  return 0;
}
