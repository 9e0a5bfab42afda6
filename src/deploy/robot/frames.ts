import { composed, identityPose, inverted, type Pose, poseOf } from '#deploy/robot/pose';
import { SampleClock } from '#deploy/robot/sampleClock';
import { stampMs } from '#deploy/robot/stamp';
import type { Message } from '#transport/messageValue';

/** A frame is found at most this many steps below a root. */
const DEEPEST = 32;

interface Link {
  readonly parent: string;
  readonly pose: Pose;
  /** Milliseconds, monotonic; infinite for static transforms. */
  readonly taken: number;
}

/** The transforms of /tf and /tf_static: the newest of each frame. */
export class Frames {
  readonly #links = new Map<string, Link>();
  readonly #clocks = new Map<string, SampleClock>();
  /** Transforms left out because they are no poses. */
  malformed = 0;

  /** @param received milliseconds, monotonic */
  take(message: Message, isStatic: boolean, received: number): void {
    for (const transform of message['transforms'] as Message[]) {
      const header = transform['header'] as Message;
      const child = nameOf(transform['child_frame_id']);
      const { translation, rotation } = transform['transform'] as Record<string, Message>;
      const pose = poseOf(translation!, rotation!);
      if (!pose || child === '') {
        this.malformed++;
        continue;
      }
      const taken = isStatic ? Number.POSITIVE_INFINITY : this.#clock(child).taken(stampMs(header), received);
      if (taken !== undefined) this.#links.set(child, { parent: nameOf(header['frame_id']), pose, taken });
    }
  }

  /** Samples that came after a newer one, over all frames. */
  get outOfOrder(): number {
    return [...this.#clocks.values()].reduce((sum, clock) => sum + clock.outOfOrder, 0);
  }

  /** Where `frame` stands in `base`, by the oldest transform on the way; undefined where nothing connects them. */
  lookUp(base: string, frame: string): { readonly pose: Pose; readonly taken: number } | undefined {
    const from = this.#toRoot(nameOf(frame));
    const to = this.#toRoot(nameOf(base));
    if (from.root !== to.root) return undefined;
    return { pose: composed(inverted(to.pose), from.pose), taken: Math.min(from.taken, to.taken) };
  }

  #toRoot(frame: string): { readonly root: string; readonly pose: Pose; readonly taken: number } {
    let root = frame;
    let pose = identityPose();
    let taken = Number.POSITIVE_INFINITY;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const link = this.#links.get(root);
      if (!link) break;
      pose = composed(link.pose, pose);
      taken = Math.min(taken, link.taken);
      root = link.parent;
    }
    return { root, pose, taken };
  }

  #clock(child: string): SampleClock {
    const known = this.#clocks.get(child) ?? new SampleClock();
    this.#clocks.set(child, known);
    return known;
  }
}

/** Without the slash that ROS 1 put before frames. */
function nameOf(frame: unknown): string {
  return String(frame).replace(/^\//, '');
}
