import { makeClipScorer } from '#reward/backends/clip';
import { makeGoalImageScorer } from '#reward/backends/goalImage';
import { makePairwiseScorer } from '#reward/backends/pairwise';
import { makeVlmChatScorer } from '#reward/backends/vlmChat';
import type { Scorer, ScorerContext } from '#reward/score';
import type { ResolvedScore } from '#spec/resolved';
import type { ScoreBackend, ScoreKind } from '#spec/scores/scoreSchema';

type Settings<K extends ScoreKind> = Extract<ScoreBackend, { readonly kind: K }>['settings'];
type Maker<K extends ScoreKind> = (settings: Settings<K>, context: ScorerContext) => Promise<Scorer>;

const makers: { readonly [K in ScoreKind]: Maker<K> } = {
  clip: makeClipScorer,
  'goal-image': makeGoalImageScorer,
  'vlm-chat': makeVlmChatScorer,
  pairwise: makePairwiseScorer,
};

/** The scorer of a task's score.
 * @throws what the backend cannot do: BACKEND for a package that is not installed, IO for a file, SPEC for settings that do
 * not fit the model, DATA without the reference it compares with */
export function makeScorer(
  { backend, directory, instruction }: Pick<ResolvedScore, 'backend' | 'directory' | 'instruction'>,
  reference: Pick<ScorerContext, 'start' | 'goal'> = {},
): Promise<Scorer> {
  const make = makers[backend.kind] as Maker<ScoreKind>;
  return make(backend.settings, { directory, instruction, ...reference });
}
