/** What MQTT's numbers are called (MQTT 5.0 sections 2.1.2, 2.2.2.2 and 2.4; MQTT 3.1.1 section 3.2.2.3). */

export const TYPES: readonly string[] = [
  '',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
];

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;
export const AUTH = 15;

const REFUSALS: readonly string[] = [
  'accepted',
  'unacceptable protocol version',
  'identifier rejected',
  'server unavailable',
  'bad user name or password',
  'not authorized',
];

/** The code of CONNACK before MQTT 5. */
export const refusal = (code: number): string => REFUSALS[code] ?? `code ${code}`;

const REASONS: Readonly<Record<number, string>> = {
  0: 'success',
  4: 'disconnect with will message',
  16: 'no matching subscribers',
  17: 'no subscription existed',
  24: 'continue authentication',
  25: 're-authenticate',
  128: 'unspecified error',
  129: 'malformed packet',
  130: 'protocol error',
  131: 'implementation specific error',
  132: 'unsupported protocol version',
  133: 'client identifier not valid',
  134: 'bad user name or password',
  135: 'not authorized',
  136: 'server unavailable',
  137: 'server busy',
  138: 'banned',
  139: 'server shutting down',
  140: 'bad authentication method',
  141: 'keep alive timeout',
  142: 'session taken over',
  143: 'topic filter invalid',
  144: 'topic name invalid',
  145: 'packet identifier in use',
  146: 'packet identifier not found',
  147: 'receive maximum exceeded',
  148: 'topic alias invalid',
  149: 'packet too large',
  150: 'message rate too high',
  151: 'quota exceeded',
  152: 'administrative action',
  153: 'payload format invalid',
  154: 'retain not supported',
  155: 'QoS not supported',
  156: 'use another server',
  157: 'server moved',
  158: 'shared subscriptions not supported',
  159: 'connection rate exceeded',
  160: 'maximum connect time',
  161: 'subscription identifiers not supported',
  162: 'wildcard subscriptions not supported',
};

export function reason(code: number, type: number): string {
  if (type === SUBACK && code < 3) {
    return `granted QoS ${code}`;
  }
  return code === 0 && type === DISCONNECT ? 'normal' : (REASONS[code] ?? `reason ${code}`);
}

export type PropertyKind = 'byte' | 'u16' | 'u32' | 'varint' | 'binary' | 'string' | 'pair';

export const PROPERTIES: Readonly<Record<number, readonly [string, PropertyKind]>> = {
  1: ['payload_format', 'byte'],
  2: ['message_expiry', 'u32'],
  3: ['content_type', 'string'],
  8: ['response_topic', 'string'],
  9: ['correlation_data', 'binary'],
  11: ['subscription_identifier', 'varint'],
  17: ['session_expiry', 'u32'],
  18: ['assigned_client_identifier', 'string'],
  19: ['server_keep_alive', 'u16'],
  21: ['authentication_method', 'string'],
  22: ['authentication_data', 'binary'],
  23: ['request_problem_information', 'byte'],
  24: ['will_delay', 'u32'],
  25: ['request_response_information', 'byte'],
  26: ['response_information', 'string'],
  28: ['server_reference', 'string'],
  31: ['reason', 'string'],
  33: ['receive_maximum', 'u16'],
  34: ['topic_alias_maximum', 'u16'],
  35: ['topic_alias', 'u16'],
  36: ['maximum_qos', 'byte'],
  37: ['retain_available', 'byte'],
  38: ['user', 'pair'],
  39: ['maximum_packet_size', 'u32'],
  40: ['wildcard_subscription_available', 'byte'],
  41: ['subscription_identifier_available', 'byte'],
  42: ['shared_subscription_available', 'byte'],
};

/** All fields that properties make, under `prefix`. */
export function propertyFields(prefix: string): string[] {
  return [
    ...Object.values(PROPERTIES).map(([name]) => prefix + name),
    `${prefix}user.raw`,
    `${prefix}unknown`,
  ];
}
