/** What a robot says and is told: sensor_msgs, trajectory_msgs, control_msgs, tf2_msgs, diagnostic_msgs (ROS 2 Jazzy).
 * From control_msgs 6.3 (Kilted) on FollowJointTrajectory differs: its feedback has more fields. */
export const robotDefinitions = `
MSG: sensor_msgs/JointState
std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
===
MSG: sensor_msgs/Image
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
===
MSG: sensor_msgs/CompressedImage
std_msgs/Header header
string format
uint8[] data
===
MSG: sensor_msgs/RegionOfInterest
uint32 x_offset
uint32 y_offset
uint32 height
uint32 width
bool do_rectify
===
MSG: sensor_msgs/CameraInfo
std_msgs/Header header
uint32 height
uint32 width
string distortion_model
float64[] d
float64[9] k
float64[9] r
float64[12] p
uint32 binning_x
uint32 binning_y
RegionOfInterest roi
===
MSG: sensor_msgs/Imu
std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
===
MSG: tf2_msgs/TFMessage
geometry_msgs/TransformStamped[] transforms
===
MSG: diagnostic_msgs/KeyValue
string key
string value
===
MSG: diagnostic_msgs/DiagnosticStatus
byte OK = 0
byte WARN = 1
byte ERROR = 2
byte STALE = 3
byte level
string name
string message
string hardware_id
KeyValue[] values
===
MSG: diagnostic_msgs/DiagnosticArray
std_msgs/Header header
DiagnosticStatus[] status
===
MSG: trajectory_msgs/JointTrajectoryPoint
float64[] positions
float64[] velocities
float64[] accelerations
float64[] effort
builtin_interfaces/Duration time_from_start
===
MSG: trajectory_msgs/JointTrajectory
std_msgs/Header header
string[] joint_names
JointTrajectoryPoint[] points
===
MSG: trajectory_msgs/MultiDOFJointTrajectoryPoint
geometry_msgs/Transform[] transforms
geometry_msgs/Twist[] velocities
geometry_msgs/Twist[] accelerations
builtin_interfaces/Duration time_from_start
===
MSG: trajectory_msgs/MultiDOFJointTrajectory
std_msgs/Header header
string[] joint_names
MultiDOFJointTrajectoryPoint[] points
===
MSG: control_msgs/JointJog
std_msgs/Header header
string[] joint_names
float64[] displacements
float64[] velocities
float64 duration
===
MSG: control_msgs/InterfaceValue
string[] interface_names
float64[] values
===
MSG: control_msgs/DynamicJointState
std_msgs/Header header
string[] joint_names
InterfaceValue[] interface_values
===
MSG: control_msgs/JointTolerance
string name
float64 position
float64 velocity
float64 acceleration
===
MSG: control_msgs/JointComponentTolerance
uint16 X_AXIS = 1
uint16 Y_AXIS = 2
uint16 Z_AXIS = 3
uint16 TRANSLATION = 4
uint16 ROTATION = 5
string joint_name
uint16 component
float64 position
float64 velocity
float64 acceleration
===
ACTION: control_msgs/FollowJointTrajectory
trajectory_msgs/JointTrajectory trajectory
trajectory_msgs/MultiDOFJointTrajectory multi_dof_trajectory
JointTolerance[] path_tolerance
JointComponentTolerance[] component_path_tolerance
JointTolerance[] goal_tolerance
JointComponentTolerance[] component_goal_tolerance
builtin_interfaces/Duration goal_time_tolerance
---
int32 SUCCESSFUL = 0
int32 INVALID_GOAL = -1
int32 INVALID_JOINTS = -2
int32 OLD_HEADER_TIMESTAMP = -3
int32 PATH_TOLERANCE_VIOLATED = -4
int32 GOAL_TOLERANCE_VIOLATED = -5
int32 error_code
string error_string
---
std_msgs/Header header
string[] joint_names
trajectory_msgs/JointTrajectoryPoint desired
trajectory_msgs/JointTrajectoryPoint actual
trajectory_msgs/JointTrajectoryPoint error
string[] multi_dof_joint_names
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_desired
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_actual
trajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_error
===
MSG: control_msgs/GripperCommand
float64 position
float64 max_effort
===
ACTION: control_msgs/GripperCommand
GripperCommand command
---
float64 position
float64 effort
bool stalled
bool reached_goal
---
float64 position
float64 effort
bool stalled
bool reached_goal
`;
