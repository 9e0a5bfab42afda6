import { kinematicPeg } from '/work/wt/learn/tests/learn/kinematicPeg.ts';
import { collectDemos } from '#learn/collect';
import { demosSchema } from '#spec/learningSchema';
for (const noise of [0, 0.05,0.1,0.15,0.2,0.25,0.3]) { const p = kinematicPeg({noise});
 const c = await collectDemos(p, {settings: demosSchema.parse({episodes: 160, successful_only: false})}); console.log(noise, c!.successes, c!.tried, c!.demos.episodes.reduce((s,e)=>s+e.length,0)/160); }
