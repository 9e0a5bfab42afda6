/** What a node needs to be one: lifecycle_msgs, rcl_interfaces, action_msgs (ROS 2 Jazzy). */
export const nodeDefinitions = `
MSG: lifecycle_msgs/State
uint8 PRIMARY_STATE_UNKNOWN = 0
uint8 PRIMARY_STATE_UNCONFIGURED = 1
uint8 PRIMARY_STATE_INACTIVE = 2
uint8 PRIMARY_STATE_ACTIVE = 3
uint8 PRIMARY_STATE_FINALIZED = 4
uint8 TRANSITION_STATE_CONFIGURING = 10
uint8 TRANSITION_STATE_CLEANINGUP = 11
uint8 TRANSITION_STATE_SHUTTINGDOWN = 12
uint8 TRANSITION_STATE_ACTIVATING = 13
uint8 TRANSITION_STATE_DEACTIVATING = 14
uint8 TRANSITION_STATE_ERRORPROCESSING = 15
uint8 id
string label
===
MSG: lifecycle_msgs/Transition
uint8 TRANSITION_CREATE = 0
uint8 TRANSITION_CONFIGURE = 1
uint8 TRANSITION_CLEANUP = 2
uint8 TRANSITION_ACTIVATE = 3
uint8 TRANSITION_DEACTIVATE = 4
uint8 TRANSITION_UNCONFIGURED_SHUTDOWN = 5
uint8 TRANSITION_INACTIVE_SHUTDOWN = 6
uint8 TRANSITION_ACTIVE_SHUTDOWN = 7
uint8 TRANSITION_DESTROY = 8
uint8 id
string label
===
MSG: lifecycle_msgs/TransitionDescription
Transition transition
State start_state
State goal_state
===
MSG: lifecycle_msgs/TransitionEvent
uint64 timestamp
Transition transition
State start_state
State goal_state
===
SRV: lifecycle_msgs/ChangeState
Transition transition
---
bool success
===
SRV: lifecycle_msgs/GetState
---
State current_state
===
SRV: lifecycle_msgs/GetAvailableStates
---
State[] available_states
===
SRV: lifecycle_msgs/GetAvailableTransitions
---
TransitionDescription[] available_transitions
===
MSG: rcl_interfaces/Log
byte DEBUG = 10
byte INFO = 20
byte WARN = 30
byte ERROR = 40
byte FATAL = 50
builtin_interfaces/Time stamp
uint8 level
string name
string msg
string file
string function
uint32 line
===
MSG: rcl_interfaces/ParameterType
uint8 PARAMETER_NOT_SET = 0
uint8 PARAMETER_BOOL = 1
uint8 PARAMETER_INTEGER = 2
uint8 PARAMETER_DOUBLE = 3
uint8 PARAMETER_STRING = 4
uint8 PARAMETER_BYTE_ARRAY = 5
uint8 PARAMETER_BOOL_ARRAY = 6
uint8 PARAMETER_INTEGER_ARRAY = 7
uint8 PARAMETER_DOUBLE_ARRAY = 8
uint8 PARAMETER_STRING_ARRAY = 9
===
MSG: rcl_interfaces/ParameterValue
uint8 type
bool bool_value
int64 integer_value
float64 double_value
string string_value
byte[] byte_array_value
bool[] bool_array_value
int64[] integer_array_value
float64[] double_array_value
string[] string_array_value
===
MSG: rcl_interfaces/Parameter
string name
ParameterValue value
===
MSG: rcl_interfaces/FloatingPointRange
float64 from_value
float64 to_value
float64 step
===
MSG: rcl_interfaces/IntegerRange
int64 from_value
int64 to_value
uint64 step
===
MSG: rcl_interfaces/ParameterDescriptor
string name
uint8 type
string description
string additional_constraints
bool read_only false
bool dynamic_typing false
FloatingPointRange[<=1] floating_point_range
IntegerRange[<=1] integer_range
===
MSG: rcl_interfaces/ParameterEvent
builtin_interfaces/Time stamp
string node
Parameter[] new_parameters
Parameter[] changed_parameters
Parameter[] deleted_parameters
===
MSG: rcl_interfaces/SetParametersResult
bool successful
string reason
===
MSG: rcl_interfaces/ListParametersResult
string[] names
string[] prefixes
===
SRV: rcl_interfaces/GetParameters
string[] names
---
ParameterValue[] values
===
SRV: rcl_interfaces/GetParameterTypes
string[] names
---
uint8[] types
===
SRV: rcl_interfaces/DescribeParameters
string[] names
---
ParameterDescriptor[] descriptors
===
SRV: rcl_interfaces/ListParameters
uint64 DEPTH_RECURSIVE = 0
string[] prefixes
uint64 depth
---
ListParametersResult result
===
SRV: rcl_interfaces/SetParameters
Parameter[] parameters
---
SetParametersResult[] results
===
SRV: rcl_interfaces/SetParametersAtomically
Parameter[] parameters
---
SetParametersResult result
===
MSG: action_msgs/GoalInfo
unique_identifier_msgs/UUID goal_id
builtin_interfaces/Time stamp
===
MSG: action_msgs/GoalStatus
int8 STATUS_UNKNOWN = 0
int8 STATUS_ACCEPTED = 1
int8 STATUS_EXECUTING = 2
int8 STATUS_CANCELING = 3
int8 STATUS_SUCCEEDED = 4
int8 STATUS_CANCELED = 5
int8 STATUS_ABORTED = 6
GoalInfo goal_info
int8 status
===
MSG: action_msgs/GoalStatusArray
GoalStatus[] status_list
===
SRV: action_msgs/CancelGoal
GoalInfo goal_info
---
int8 ERROR_NONE = 0
int8 ERROR_REJECTED = 1
int8 ERROR_UNKNOWN_GOAL_ID = 2
int8 ERROR_GOAL_TERMINATED = 3
int8 return_code
GoalInfo[] goals_canceling
`;
