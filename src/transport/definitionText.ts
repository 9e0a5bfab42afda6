import { VernierError } from '#core/errors';
import { fullTypeName, MessageDefinitions } from '#transport/messageDefinition';

/** Texts that hold several definitions, each behind a line of `=` and a heading, as MCAP files do (`ros2msg`). Beside
 * `MSG: package/Type` a heading may be `SRV:` or `ACTION:`; their parts stand between lines of `---`. */

/** @param text definitions, each with its heading
 * @param own the type of what stands before the first heading
 * @throws DATA where a heading is missing or a service or action has not its two or three parts */
export function readDefinitions(text: string, own?: string): MessageDefinitions {
  const texts = new Map<string, string>();
  const [first, ...sections] = text.split(/^=+[ \t]*\r?$/m);
  if (own !== undefined) texts.set(fullTypeName(own), first!);
  else if (first!.trim() !== '') sections.unshift(first!);
  for (const section of sections) {
    const [, kind, name, body] =
      /^\s*(MSG|SRV|ACTION):[ \t]*(\S+)[ \t]*\r?(?:\n([\s\S]*))?$/.exec(section) ?? [];
    if (kind === undefined)
      throw new VernierError(
        'DATA',
        `${own ?? 'definitions'}: expected "MSG: package/Type" behind a line of =`,
      );
    for (const [type, definition] of expand(kind, name!, body ?? '')) texts.set(type, definition);
  }
  return new MessageDefinitions(texts);
}

type Texts = readonly (readonly [type: string, text: string])[];

function expand(kind: string, name: string, body: string): Texts {
  if (kind === 'MSG') return [[fullTypeName(name), body]];
  const [packageName, type] = [name.split('/')[0]!, name.split('/').at(-1)!];
  const parts = body.split(/^---[ \t]*\r?$/m);
  const wanted = kind === 'SRV' ? 2 : 3;
  if (parts.length !== wanted)
    throw new VernierError('DATA', `${name}: expected ${wanted} parts between ---, received ${parts.length}`);
  if (kind === 'SRV') return service(`${packageName}/srv/${type}`, parts[0]!, parts[1]!);
  return action(`${packageName}/action/${type}`, parts);
}

/** The service as the type whose hash names it, its request and response, and the event that introspection publishes. */
function service(type: string, request: string, response: string): Texts {
  return [
    [`${type}_Request`, request],
    [`${type}_Response`, response],
    [
      `${type}_Event`,
      `service_msgs/ServiceEventInfo info\n${type}_Request[<=1] request\n${type}_Response[<=1] response`,
    ],
    [type, `${type}_Request request_message\n${type}_Response response_message\n${type}_Event event_message`],
  ];
}

/** The action as the type whose hash names it, with its two services and its feedback as they travel. */
function action(type: string, [goal, result, feedback]: readonly string[]): Texts {
  const id = 'unique_identifier_msgs/UUID goal_id';
  return [
    [`${type}_Goal`, goal!],
    [`${type}_Result`, result!],
    [`${type}_Feedback`, feedback!],
    ...service(
      `${type}_SendGoal`,
      `${id}\n${type}_Goal goal`,
      'bool accepted\nbuiltin_interfaces/Time stamp',
    ),
    ...service(`${type}_GetResult`, id, `int8 status\n${type}_Result result`),
    [`${type}_FeedbackMessage`, `${id}\n${type}_Feedback feedback`],
    [
      type,
      `${type}_Goal goal\n${type}_Result result\n${type}_Feedback feedback\n` +
        `${type}_SendGoal send_goal_service\n${type}_GetResult get_result_service\n` +
        `${type}_FeedbackMessage feedback_message`,
    ],
  ];
}
