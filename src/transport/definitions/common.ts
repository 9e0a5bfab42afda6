/** Packages that every other one builds on: builtin_interfaces, std_msgs, geometry_msgs, unique_identifier_msgs,
 * service_msgs, rosgraph_msgs (ROS 2 Jazzy). */
export const commonDefinitions = `
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
===
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
===
MSG: unique_identifier_msgs/UUID
uint8[16] uuid
===
MSG: service_msgs/ServiceEventInfo
uint8 REQUEST_SENT = 0
uint8 REQUEST_RECEIVED = 1
uint8 RESPONSE_SENT = 2
uint8 RESPONSE_RECEIVED = 3
uint8 event_type
builtin_interfaces/Time stamp
char[16] client_gid
int64 sequence_number
===
MSG: rosgraph_msgs/Clock
builtin_interfaces/Time clock
===
MSG: std_msgs/Empty
===
MSG: std_msgs/Bool
bool data
===
MSG: std_msgs/String
string data
===
MSG: std_msgs/Int32
int32 data
===
MSG: std_msgs/Int64
int64 data
===
MSG: std_msgs/Float32
float32 data
===
MSG: std_msgs/Float64
float64 data
===
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
===
MSG: std_msgs/MultiArrayDimension
string label
uint32 size
uint32 stride
===
MSG: std_msgs/MultiArrayLayout
MultiArrayDimension[] dim
uint32 data_offset
===
MSG: std_msgs/Float32MultiArray
MultiArrayLayout layout
float32[] data
===
MSG: std_msgs/Float64MultiArray
MultiArrayLayout layout
float64[] data
===
SRV: std_srvs/Trigger
---
bool success
string message
===
SRV: std_srvs/SetBool
bool data
---
bool success
string message
===
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Quaternion
float64 x 0
float64 y 0
float64 z 0
float64 w 1
===
MSG: geometry_msgs/Pose
Point position
Quaternion orientation
===
MSG: geometry_msgs/Transform
Vector3 translation
Quaternion rotation
===
MSG: geometry_msgs/Twist
Vector3 linear
Vector3 angular
===
MSG: geometry_msgs/Accel
Vector3 linear
Vector3 angular
===
MSG: geometry_msgs/Wrench
Vector3 force
Vector3 torque
===
MSG: geometry_msgs/PointStamped
std_msgs/Header header
Point point
===
MSG: geometry_msgs/PoseStamped
std_msgs/Header header
Pose pose
===
MSG: geometry_msgs/TransformStamped
std_msgs/Header header
string child_frame_id
Transform transform
===
MSG: geometry_msgs/TwistStamped
std_msgs/Header header
Twist twist
===
MSG: geometry_msgs/WrenchStamped
std_msgs/Header header
Wrench wrench
`;
