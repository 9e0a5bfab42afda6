import type { ModelNames } from '#core/model';
import { header, needs, type Program } from '#expr/program';
import type { DynamicsSpec } from '#native/physicsSpec';
import type { ConfigFile, Path } from '#spec/configFile';
import type { Randomization, ResolvedRobot } from '#spec/resolved';
import { type RobotFile, shortPath } from '#spec/robot';
import type { DynamicsFileSpec } from '#spec/robotSchema';
import type { TaskSpec } from '#spec/taskSchema';

/** The `dynamics` of a robot or a task: analytic models in the place of MuJoCo's step. */

const SLIDE = 2;
const HINGE = 3;

/** What the joints of the arm must be. */
const layouts = {
  unicycle: { types: [SLIDE, SLIDE, HINGE], text: 'two slides and a hinge, [x, y, yaw]' },
  quadrotor: {
    types: [SLIDE, SLIDE, SLIDE, HINGE, HINGE, HINGE],
    text: 'three slides and three hinges, [x, y, z, yaw, pitch, roll]',
  },
} as const;

/** The task's dynamics, or else the robot's. @throws SPEC with the place of what does not fit */
export function resolveDynamics(
  task: TaskSpec,
  taskFile: ConfigFile,
  robot: ResolvedRobot,
  robotFile: RobotFile,
  names: ModelNames,
): DynamicsSpec | undefined {
  const given: DynamicsFileSpec | undefined = task.dynamics ?? robot.spec.dynamics;
  if (!given) return undefined;
  const owner = task.dynamics ? taskFile : (robotFile.config ?? taskFile);
  if (given.kind === 'linear') return { kind: 'linear', speed: speeds(given.speed, robot, owner) };
  const { types, text } = layouts[given.kind];
  const received = robot.arm.joints.map((joint) => names.jointType[joint]);
  if (received.length !== types.length || types.some((type, i) => received[i] !== type)) {
    owner.fail(['dynamics', 'kind'], `${given.kind} expects an arm of ${text}, in ${shortPath(robot.file)}`);
  }
  if (given.kind === 'unicycle') {
    const { turn_rate: turnRate, acceleration, speed } = given;
    return { kind: 'unicycle', turnRate, acceleration, speed };
  }
  const { tilt, yaw_rate: yawRate, thrust, response, drag } = given;
  return { kind: 'quadrotor', tilt, yawRate, thrust, response, drag };
}

function speeds(speed: number | undefined, { arm }: ResolvedRobot, owner: ConfigFile): number[] {
  return arm.limits.map(
    ({ velocity }, i) =>
      speed ??
      velocity ??
      owner.fail(
        ['dynamics'],
        `linear expects \`speed\`, or limits.${arm.names[i]}.velocity in the robot file`,
      ),
  );
}

/** Nothing is computed of contacts, forces and sensors, and masses play no part.
 * @throws SPEC for a task that asks for them */
export function requireAnalytic(
  program: Program,
  randomize: readonly Randomization[],
  config: ConfigFile,
): void {
  const missing = needs.contact | needs.contactForce | needs.actuator | needs.sensor;
  if ((program.code[header.needs]! & missing) !== 0) {
    config.fail(
      ['dynamics'],
      'contacts, forces and sensors are not known with `dynamics`, and an expression reads one',
    );
  }
  const useless = randomize.findIndex(({ kind }) => ['mass', 'friction', 'gain', 'damping'].includes(kind));
  if (useless >= 0) {
    const path: Path = ['randomize', useless];
    config.fail(path, `${randomize[useless]!.kind} plays no part with \`dynamics\``);
  }
}
