/** What the layers say to each other about a MuJoCo model before any of them steps it. */

/** A model ready to load: the main MJCF and every file it needs, by the name MuJoCo asks for. */
export interface ModelSource {
  /** The main document; its includes are already in place. */
  readonly xml: string;
  /** Meshes, textures and height fields, keyed by the path that the document names them with. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** SHA-256 over the document and the files. */
  readonly hash: string;
}

/** Names, sizes and addresses of a loaded model: all that the expression compiler and the task loader need of it.
 * Index = id; an unnamed element has ''. The numbers are MuJoCo's own (jnt_type: 0 free, 1 ball, 2 slide, 3 hinge). */
export interface ModelNames {
  readonly body: readonly string[];
  readonly site: readonly string[];
  readonly geom: readonly string[];
  readonly joint: readonly string[];
  readonly actuator: readonly string[];
  readonly sensor: readonly string[];
  readonly camera: readonly string[];
  readonly keyframe: readonly string[];

  readonly nq: number;
  readonly nv: number;
  readonly nu: number;
  readonly nsensordata: number;

  readonly bodyParent: readonly number[];
  /** Index among the mocap bodies, -1 for the others. */
  readonly bodyMocap: readonly number[];
  /** Bodies that a weld holds together from the start, two of each. */
  readonly weldBodies: readonly (readonly [number, number])[];
  /** Body of each site. */
  readonly siteBody: readonly number[];
  /** Body of each geom. */
  readonly geomBody: readonly number[];
  readonly jointBody: readonly number[];
  readonly jointType: readonly number[];
  readonly jointQposAddress: readonly number[];
  readonly jointDofAddress: readonly number[];
  /** [lo, hi] of each joint, undefined where it is not limited. */
  readonly jointRange: readonly (readonly [number, number] | undefined)[];
  /** mjtTrn of each actuator (0 joint, 1 joint in parent, 3 tendon, 4 site, 5 body) and the id it drives. */
  readonly actuatorTransmission: readonly number[];
  readonly actuatorTarget: readonly number[];
  /** [lo, hi] of each control, undefined where it is not limited. */
  readonly actuatorControlRange: readonly (readonly [number, number] | undefined)[];
  /** Name of mjtSensor, in lower case without its prefix: `touch`, `accelerometer`, `force`, `jointpos`, ... */
  readonly sensorType: readonly string[];
  readonly sensorAddress: readonly number[];
  readonly sensorDimension: readonly number[];
  /** Seconds of one physics step as the model file has it. */
  readonly timestep: number;
}
