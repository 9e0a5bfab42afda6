import { z } from 'zod';

/** The cameras section of a task file: what scorers see of the task, each camera under its own name. */

const side = z.int().min(8).max(2048);

const freeCameraSchema = z
  .strictObject({
    lookat: z.tuple([z.number(), z.number(), z.number()]).meta({ description: 'Point looked at, m.' }),
    distance: z.number().positive().meta({ description: 'From that point, m.' }),
    azimuth: z
      .number()
      .default(90)
      .meta({ description: 'Direction of view from the x axis about z, degrees.' }),
    elevation: z
      .number()
      .min(-90)
      .max(90)
      .default(-45)
      .meta({ description: 'Of the direction of view, degrees: negative looks down.' }),
  })
  .meta({ description: 'A camera that the model does not have.' });

const cameraSchema = z.strictObject({
  width: side.meta({ description: 'Pixels.' }),
  height: side.meta({ description: 'Pixels.' }),
  of: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "A camera of the model. Default: the one of this camera's own name." }),
  free: freeCameraSchema.optional(),
});

export const camerasSchema = z
  .record(z.string().min(1), cameraSchema)
  .default({})
  .meta({ description: 'What scorers see, by name; their order is that of the pictures.' });

export type CamerasSpec = z.output<typeof camerasSchema>;
