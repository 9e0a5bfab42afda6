/** What can be said of a picture, for the two-tower model: sentences, and when they are true. */

/** One thing that may be true of a state, in several wordings. `when` is an expression over the task's signals: 1 or 0, or
 * between them where it holds in part. */
export interface Statement {
  readonly when: string;
  readonly wordings: readonly string[];
}

export interface Subject {
  readonly task: string;
  /** Progress from the simulator's signals, in [0,1]: what the model's scores are held against. */
  readonly progress: string;
  /** What the score of this task asks for, and what it starts from. */
  readonly goal: string;
  readonly baseline: string;
  readonly statements: readonly Statement[];
}

/** One statement for each distance, true in part of the neighbours. */
function distances(what: string, expression: string, centimetres: readonly number[]): Statement[] {
  return centimetres.map((distance, i) => {
    const gap = (centimetres[i + 1] ?? distance) - distance || distance - centimetres[i - 1]!;
    return {
      when: `clamp(1 - abs(${expression} - ${distance} cm) / ${gap} cm, 0, 1)`,
      wordings: [`${what.replace('#', String(distance))}`],
    };
  });
}

function shares(what: string, progress: string): Statement[] {
  return [0, 20, 40, 60, 80, 100].map((percent) => ({
    when: `clamp(1 - abs((${progress}) - ${percent / 100}) / 0.2, 0, 1)`,
    wordings: [`${what} is ${percent} percent done`],
  }));
}

const pegProgress = '0.6 * (1 - clamp(lateral / 10 cm, 0, 1)) + 0.4 * clamp((error.z + 10 cm) / 12 cm, 0, 1)';
const nutProgress =
  'if(placed, 1, 0.25 * (1 - clamp(norm(to_handle) / 20 cm, 0, 1)) + if(nut.position.z > 0.06, 0.25, 0) + 0.4 * (1 - clamp(norm([to_peg.x, to_peg.y]) / 30 cm, 0, 1)))';
const liftProgress =
  '0.5 * (1 - clamp(norm(to_cube) / 20 cm, 0, 1)) + 0.5 * clamp((height - 2.1 cm) / 4 cm, 0, 1)';
const canProgress =
  'if(inside and can.position.z < 0.1, 1, 0.25 * (1 - clamp(norm(to_can) / 20 cm, 0, 1)) + if(can.position.z > 0.1, 0.25, 0) + 0.4 * (1 - clamp(norm([to_bin.x, to_bin.y]) / 30 cm, 0, 1)))';

export const subjects: readonly Subject[] = [
  {
    task: 'peg_insertion',
    progress: pegProgress,
    goal: 'the peg is in the hole',
    baseline: 'the peg is far from the hole',
    statements: [
      {
        when: 'norm(error) > 12 cm',
        wordings: [
          'the peg is far from the hole',
          'the peg is far away from the hole',
          'a peg far from the block',
        ],
      },
      {
        when: 'norm(error) > 3 cm and norm(error) < 12 cm',
        wordings: ['the peg is near the hole', 'the peg is close to the hole'],
      },
      {
        when: 'lateral < 1.2 cm and error.z < -0.003 and norm(error) < 6 cm',
        wordings: [
          'the peg is above the hole',
          'the peg is over the hole',
          'the peg is right above the hole',
        ],
      },
      {
        when: 'lateral > 2 cm and error.z > -6 cm',
        wordings: ['the peg is beside the hole', 'the peg is next to the block'],
      },
      {
        when: 'error.z > 0.003 and error.z < 0.018 and lateral < 0.008',
        wordings: [
          'the peg is half way in the hole',
          'the peg has entered the hole',
          'the tip of the peg is in the hole',
        ],
      },
      {
        when: 'error.z > 0.018 and lateral < 0.006',
        wordings: [
          'the peg is in the hole',
          'the peg is inserted in the hole',
          'the peg is all the way in the hole',
        ],
      },
      ...distances('the peg is # centimetres from the hole', 'norm(error)', [1, 2, 4, 6, 8, 11, 14, 18]),
      ...shares('the insertion', pegProgress),
    ],
  },
  {
    task: 'nut_assembly',
    progress: nutProgress,
    goal: 'the nut is on the peg',
    baseline: 'the nut lies on the table',
    statements: [
      {
        when: 'norm(to_handle) > 10 cm and nut.position.z < 0.05 and not placed',
        wordings: ['the hand is far from the nut', 'the hand is far away from the nut'],
      },
      {
        when: 'nut.position.z < 0.05 and not placed',
        wordings: ['the nut lies on the table', 'the nut is on the table', 'a nut on the table'],
      },
      {
        when: 'norm(to_handle) < 3 cm and nut.position.z < 0.05 and not placed',
        wordings: ['the hand is at the nut', 'the hand grips the nut on the table'],
      },
      {
        when: 'nut.position.z > 0.06 and norm(to_handle) < 5 cm',
        wordings: ['the hand holds the nut', 'the nut is in the air', 'the hand carries the nut'],
      },
      {
        when: 'nut.position.z > 0.05 and norm([to_peg.x, to_peg.y]) < 2 cm',
        wordings: ['the nut is above the peg', 'the nut is over the peg'],
      },
      {
        when: 'placed',
        wordings: ['the nut is on the peg', 'the nut is around the peg', 'the peg is in the nut'],
      },
      ...distances(
        'the nut is # centimetres from the peg',
        'norm([to_peg.x, to_peg.y])',
        [1, 4, 8, 12, 16, 20, 25, 30],
      ),
      ...shares('the assembly', nutProgress),
    ],
  },
  {
    task: 'lift',
    progress: liftProgress,
    goal: 'the cube is lifted',
    baseline: 'the hand is far from the cube',
    statements: [
      {
        when: 'norm(to_cube) > 10 cm',
        wordings: ['the hand is far from the cube', 'the hand is far away from the cube'],
      },
      { when: 'norm(to_cube) < 3 cm', wordings: ['the hand is at the cube', 'the hand is around the cube'] },
      { when: 'height < 2.5 cm', wordings: ['the cube lies on the table', 'the cube is on the table'] },
      {
        when: 'height > 4 cm',
        wordings: ['the cube is lifted', 'the cube is in the air', 'the hand holds the cube'],
      },
      ...distances('the hand is # centimetres from the cube', 'norm(to_cube)', [1, 4, 8, 12, 16, 20]),
      ...shares('the lift', liftProgress),
    ],
  },
  {
    task: 'pick_place',
    progress: canProgress,
    goal: 'the can is in the bin',
    baseline: 'the can is on the table',
    statements: [
      {
        when: 'norm(to_can) > 10 cm and not inside',
        wordings: ['the hand is far from the can', 'the hand is far away from the can'],
      },
      {
        when: 'norm(to_can) < 4 cm and can.position.z < 0.1 and not inside',
        wordings: ['the hand is at the can', 'the hand is around the can'],
      },
      {
        when: 'can.position.z < 0.1 and not inside',
        wordings: ['the can is on the table', 'the can stands on the table'],
      },
      {
        when: 'can.position.z > 0.1 and norm(to_can) < 5 cm',
        wordings: ['the hand holds the can', 'the can is in the air', 'the hand carries the can'],
      },
      {
        when: 'inside and can.position.z > 0.1',
        wordings: ['the can is above the bin', 'the can is over the bin'],
      },
      {
        when: 'inside and can.position.z < 0.1',
        wordings: ['the can is in the bin', 'the can is inside the bin'],
      },
      ...distances(
        'the can is # centimetres from the bin',
        'norm([to_bin.x, to_bin.y])',
        [1, 5, 10, 15, 20, 25, 30, 35],
      ),
      ...shares('the transport', canProgress),
    ],
  },
];

/** Where the pictures are taken from: near enough for the parts to be seen at 64 pixels. */
export const cameras = {
  front: { lookat: [0.5, 0, 0.06], distance: 0.55, azimuth: 150, elevation: -25 },
  flank: { lookat: [0.5, 0, 0.06], distance: 0.55, azimuth: 60, elevation: -25 },
} as const;
export const SIDE = 64;
