import type { ChatPart } from '#reward/backends/chatClient';
import type { Moment } from '#reward/score';

/** The words of the questions, in one place since their hash says which question a cached score answered. Pictures that
 * questions share (start, goal) come first, so that a server computes them once. Votes use another wording each. */

export const hopWordings = [
  'How did the work on the task change from BEFORE to AFTER? 1: all progress lost. 5: no change. 9: the task is finished.',
  'Compare AFTER with BEFORE. 1: back at the start. 5: as far as before. 9: all that was left is done.',
  'Rate the step from BEFORE to AFTER. 1: everything undone. 5: nothing happened. 9: it completed the task.',
] as const;

export const progressWordings = [
  'How far is the robot with this in NOW? 0: not begun. 9: finished.',
  'Which part of this has been done in NOW? 0: nothing. 9: all of it.',
  'Rate how near this is to its end in NOW. 0: as at the start. 9: achieved.',
] as const;

export const truthWordings = [
  'The pictures show a robot at work, the last one shows the present. Is it true that the task is finished?',
  'These pictures were taken one after the other. Does the last one show the task completed?',
  'A robot was filmed. Is the task done at the end of these pictures?',
] as const;

/** GVL: the first picture is anchored, the others are shuffled. */
export function percentagesText(instruction: string, count: number): string {
  return (
    `A robot was asked to: ${instruction}. In the START picture 0 percent of the task is done. ` +
    `The ${count} numbered pictures are in random order. ` +
    'For each of them, in the order shown, which percentage of the task is done? 100 means finished.'
  );
}

export function taskText(instruction: string): string {
  return `Task of the robot: ${instruction}.`;
}

/** The views of a moment under a name. */
export function momentParts(name: string, { views }: Moment): ChatPart[] {
  return views.flatMap((picture) => [
    { text: views.length === 1 ? `${name}:` : `${name}, camera ${picture.camera}:` },
    { picture },
  ]);
}

/** Start and goal, as far as they are known. */
export function anchorParts(start: Moment | undefined, goal: Moment | undefined): ChatPart[] {
  return [...(start ? momentParts('START', start) : []), ...(goal ? momentParts('GOAL', goal) : [])];
}
