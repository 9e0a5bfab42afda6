import type { ExpressionCompiler } from '#expr/compile';
import type { Slot } from '#expr/program';
import { type ExpressionSource, textSource } from '#expr/source';
import { metre, radian } from '#expr/unit';
import type { Value } from '#expr/values';
import type { ConfigFile } from '#spec/configFile';
import type { ExpertWaypoint, ResolvedControl, ResolvedExpert, ResolvedRobot } from '#spec/resolved';
import type { ExpertSpec, TaskSpec, WaypointSpec } from '#spec/taskSchema';

/** Compiles the expert's way-points into the program's `expert` group. */

interface Context {
  readonly file: ConfigFile;
  readonly compiler: ExpressionCompiler;
  readonly control: ResolvedControl;
  readonly robot: ResolvedRobot;
  readonly horizon: number;
}

/** @throws SPEC, EXPRESSION */
export function resolveExpert(
  task: TaskSpec,
  file: ConfigFile,
  compiler: ExpressionCompiler,
  control: ResolvedControl,
  robot: ResolvedRobot,
): ResolvedExpert | undefined {
  const spec: ExpertSpec | undefined = task.expert;
  if (!spec) return undefined;
  const context: Context = { file, compiler, control, robot, horizon: task.horizon };
  const state = outputState(context);
  let gripper = 1;
  const waypoints = spec.waypoints.map((waypoint, i) => {
    gripper = gripperAction(waypoint, gripper);
    return new WaypointResolver(context, waypoint, i).resolve(gripper);
  });
  return { noise: spec.noise, gain: spec.gain, waypoints, state };
}

function gripperAction({ gripper }: WaypointSpec, before: number): number {
  if (gripper === 'open') return 1;
  if (gripper === 'closed') return -1;
  return gripper ?? before;
}

/** What the way-points' targets are compared with. */
function outputState({ compiler, control, robot }: Context): ResolvedExpert['state'] {
  const put = (text: string): Slot => {
    const source = textSource(text);
    return compiler.output('expert', text, compiler.value(source), source);
  };
  const hasFrame = robot.endEffector !== undefined;
  const cartesian = control.mode === 'end_effector_delta';
  return {
    base:
      cartesian && robot.base !== 0
        ? compiler.output('expert', 'base', compiler.bodyOrientation(robot.base), textSource('base'))
        : undefined,
    position: hasFrame ? put('ee.position') : undefined,
    quaternion: hasFrame ? put('ee.quaternion') : undefined,
    yaw: hasFrame ? put('ee.yaw') : undefined,
    joints: put('arm.position'),
  };
}

class WaypointResolver {
  readonly #context: Context;
  readonly #waypoint: WaypointSpec;
  readonly #index: number;
  readonly #name: string;

  constructor(context: Context, waypoint: WaypointSpec, index: number) {
    this.#context = context;
    this.#waypoint = waypoint;
    this.#index = index;
    this.#name = waypoint.name ?? `waypoint ${index + 1}`;
  }

  resolve(gripper: number): ExpertWaypoint {
    this.#requireFit();
    const { compiler, robot } = this.#context;
    const position = this.#target('position', (source) => compiler.number(source, 3, metre));
    const yaw = this.#target('yaw', (source) => compiler.number(source, undefined, radian));
    const quaternion = this.#target('quaternion', (source) => compiler.orientation(source));
    const joints = this.#target('joints', (source) =>
      compiler.number(source, robot.arm.joints.length, 'unknown'),
    );
    const { hold, timeout, speed } = this.#waypoint;
    return {
      name: this.#name,
      position,
      yaw,
      quaternion,
      joints,
      gripper,
      until: this.#until(),
      hold,
      timeout: timeout ?? this.#context.horizon,
      speed,
    };
  }

  /** Only targets that the control mode can reach. */
  #requireFit(): void {
    const { control } = this.#context;
    const cartesian = control.mode === 'end_effector_delta';
    const wrong = (cartesian ? (['joints'] as const) : (['position', 'yaw', 'quaternion'] as const)).find(
      (key) => this.#waypoint[key] !== undefined,
    );
    if (wrong) {
      this.#fail(
        wrong,
        `expected ${cartesian ? 'position, yaw or quaternion' : 'joints'}, since control.mode is ${control.mode}`,
      );
    }
    if (this.#waypoint.yaw !== undefined && this.#waypoint.quaternion !== undefined) {
      this.#fail('yaw', 'expected yaw or quaternion, received both');
    }
    if (this.#waypoint.yaw !== undefined && !control.axes.includes('yaw')) {
      this.#fail('yaw', 'expected `yaw` among control.axes');
    }
    if (this.#waypoint.gripper !== undefined && !control.gripper) {
      this.#fail('gripper', 'expected control.gripper: true');
    }
  }

  #target(key: 'position' | 'yaw' | 'quaternion' | 'joints', compile: (source: ExpressionSource) => Value) {
    if (this.#waypoint[key] === undefined) return undefined;
    const source = this.#source(key);
    return this.#context.compiler.output('expert', `${this.#name}.${key}`, compile(source), source);
  }

  #until(): Slot {
    const { compiler } = this.#context;
    const source = this.#waypoint.until === undefined ? textSource(this.#arrived()) : this.#source('until');
    return compiler.output('expert', `${this.#name}.until`, compiler.condition(source), source);
  }

  /** Within tolerance of every target that there is. */
  #arrived(): string {
    const { position, yaw, quaternion, joints, tolerance } = this.#waypoint;
    const turn = 10 * tolerance;
    const conditions = [
      position !== undefined && `norm((${position}) - ee.position) < ${tolerance} m`,
      yaw !== undefined && `abs(atan2(sin((${yaw}) - ee.yaw), cos((${yaw}) - ee.yaw))) < ${turn} rad`,
      quaternion !== undefined && `angle((${quaternion}), ee.quaternion) < ${turn} rad`,
      joints !== undefined && `norm((${joints}) - arm.position) < ${turn}`,
    ].filter((condition) => condition !== false);
    return conditions.length > 0 ? conditions.join(' and ') : 'true';
  }

  #source(key: string): ExpressionSource {
    return this.#context.file.expression(['expert', 'waypoints', this.#index, key]);
  }

  #fail(key: string, message: string): never {
    return this.#context.file.fail(['expert', 'waypoints', this.#index, key], message);
  }
}
