import type { ModelNames } from '#core/model';
import { nearestHint } from '#expr/source';
import type { CamerasSpec } from '#spec/camerasSchema';
import type { ConfigFile } from '#spec/configFile';
import type { ResolvedCamera } from '#spec/resolved';

/** The task's cameras in the order of the file, each of a camera that the model has or a free one. @throws SPEC */
export function resolveCameras(
  cameras: CamerasSpec,
  config: ConfigFile,
  names: ModelNames,
): ResolvedCamera[] {
  return Object.entries(cameras).map(([name, { width, height, of, free }]) => {
    const path = ['cameras', name];
    if (free) {
      if (of !== undefined) config.fail([...path, 'free'], 'expected either `of` or `free`, received both');
      const { lookat, distance, azimuth, elevation } = free;
      return {
        name,
        width,
        height,
        view: { lookat, distance, azimuthDeg: azimuth, elevationDeg: elevation },
      };
    }
    const wanted = of ?? name;
    if (names.camera.includes(wanted)) return { name, width, height, view: wanted };
    const known = names.camera.filter((camera) => camera !== '');
    const has = known.length > 0 ? `it has ${known.join(', ')}` : 'it has none';
    return config.fail(
      of === undefined ? path : [...path, 'of'],
      `the model has no camera "${wanted}"${nearestHint(wanted, known)}; ${has}`,
      'write `of: <camera of the model>`, or `free: {lookat: [x, y, z], distance: d}`',
    );
  });
}
