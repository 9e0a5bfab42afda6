import { createHash } from 'node:crypto';

/** What is drawn and looked at: cameras, pictures, and pictures that are known by their content. */

/** Where a free camera looks from: around `lookat`, azimuth from the x axis, elevation negative from above. */
export interface FreeCamera {
  readonly lookat: readonly [x: number, y: number, z: number];
  readonly distance: number;
  readonly azimuthDeg: number;
  readonly elevationDeg: number;
}

/** Rows of pixels, top first. @shape rgb [height,width,3] */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** One camera's picture of a moment. */
export interface Frame extends Picture {
  readonly camera: string;
  /** Hex SHA-256 of the size and the pixels. */
  readonly hash: string;
}

/** One sample of an episode as the task's cameras see it, in the order of the scorer's list of cameras. */
export interface Moment {
  readonly views: readonly Frame[];
}

/** The moment through these cameras alone, in their order; it has to have all of them. */
export function throughCameras(cameras: readonly string[], { views }: Moment): Moment {
  return { views: cameras.map((name) => views.find(({ camera }) => camera === name)!) };
}

/** Hex SHA-256 of the size, two u32 little-endian, and the pixels: the same picture has the same hash whoever drew it. */
export function pictureHash({ width, height, rgb }: Picture): string {
  const size = Buffer.alloc(8);
  size.writeUInt32LE(width, 0);
  size.writeUInt32LE(height, 4);
  return createHash('sha256').update(size).update(rgb).digest('hex');
}

export function makeFrame(camera: string, picture: Picture): Frame {
  return { camera, ...picture, hash: pictureHash(picture) };
}
