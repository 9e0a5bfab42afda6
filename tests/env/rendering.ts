import { Renderer } from '#env/renderer';
import { addonStatus } from '#native/addon';

/** Why this machine cannot render, or undefined: what the tests that need pictures skip by. */
export const renderingMissing = probe();

function probe(): string | undefined {
  if (!addonStatus().addon?.SceneRenderer) return 'the addon has no MuJoCo';
  try {
    new Renderer({ xml: '<mujoco/>', files: new Map() }, { width: 1, height: 1 }).close();
    return undefined;
  } catch (error) {
    if ((error as { code?: string }).code !== 'BACKEND') throw error;
    return (error as Error).message;
  }
}
