/** What a broker can do, as it said in its CONNACK. */
import type { IConnackPacket } from 'mqtt';

/** Brokers of 3.1.1 say nothing: {@link LIMITS_OF_3}. */
export interface ServerLimits {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly maximumQoS: 0 | 1 | 2;
  readonly retain: boolean;
  readonly sharedSubscriptions: boolean;
  readonly subscriptionIdentifiers: boolean;
}

export const LIMITS_OF_3: ServerLimits = {
  receiveMaximum: 65_535,
  maximumPacketSize: 268_435_455,
  maximumQoS: 2,
  retain: true,
  sharedSubscriptions: false,
  subscriptionIdentifiers: false,
};

/** What a CONNACK of MQTT 5 leaves out has the default of its §3.2.2.3. */
export function limitsOf(properties: IConnackPacket['properties']): ServerLimits {
  const qos = properties?.maximumQoS;
  return {
    receiveMaximum: properties?.receiveMaximum ?? LIMITS_OF_3.receiveMaximum,
    maximumPacketSize: properties?.maximumPacketSize ?? LIMITS_OF_3.maximumPacketSize,
    maximumQoS: qos === 0 || qos === 1 ? qos : 2,
    retain: properties?.retainAvailable !== false,
    sharedSubscriptions: properties?.sharedSubscriptionAvailable !== false,
    subscriptionIdentifiers: properties?.subscriptionIdentifiersAvailable !== false,
  };
}
