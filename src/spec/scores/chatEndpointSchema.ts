import { z } from 'zod';

/** Keys of everything that asks a model behind an OpenAI-compatible endpoint. */
export const chatEndpointKeys = {
  endpoint: z.url({ protocol: /^https?$/, error: 'expected a URL, such as http://localhost:8000/v1' }).meta({
    description: 'Base URL of an OpenAI-compatible server (vLLM, Ollama, llama.cpp), up to and with /v1.',
  }),
  model: z.string().min(1).meta({ description: 'Name of the model, as the server lists it under /models.' }),
  key_variable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional()
    .meta({ description: 'Environment variable that holds the API key. Keys stay out of files.' }),
  timeout: z.number().positive().default(60).meta({ description: 'Seconds one answer may take.' }),
  retries: z.number().int().nonnegative().default(3).meta({
    description: 'Further tries where the server is busy (429), fails (5xx) or cannot be reached.',
  }),
  in_flight: z.number().int().positive().default(4).meta({ description: 'Questions asked at a time.' }),
};

export const chatEndpointSchema = z.strictObject(chatEndpointKeys);

export type ChatEndpointSpec = z.output<typeof chatEndpointSchema>;
