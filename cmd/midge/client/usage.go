package client

// usage is what --help prints.
func usage(p program) string {
	if p == pubProgram {
		return pubUsage + commonUsage
	}
	return subUsage + commonUsage
}

const pubUsage = `Publish messages to an MQTT broker, with the flags of mosquitto_pub.

midge pub -t TOPIC (-m MESSAGE | -f FILE | -l | -n | -s) [flags]

 -t, --topic TOPIC         where to publish
 -m, --message MESSAGE     this message
 -f, --file FILE           the contents of a file
 -l, --stdin-line          every line of standard input, as it comes
 -n, --null-message        an empty message (with -r: delete the retained one)
 -s, --stdin-file          all of standard input as one message
 -r, --retain              the broker keeps it for later subscribers
 --repeat N                publish N times
 --repeat-delay SECONDS    pause between them
`

const subUsage = `Subscribe to an MQTT broker and print messages, with the flags of mosquitto_sub.

midge sub -t FILTER [-t FILTER ...] [flags]

 -t, --topic FILTER        topic filter, may repeat
 -T, --filter-out FILTER   do not print what matches, may repeat
 -U, --unsubscribe FILTER  unsubscribe from it, may repeat
 -v, --verbose             print the topic before the message
 -F FORMAT                 %t topic %p message %x %X in hex %j %J as JSON %q QoS %r retain %m id %l length %I %U time
                           MQTT 5: %A alias %C content type %D correlation data %E expiry %F format %P user properties
                           %R response topic %S subscription id; @x the field x of date(1), \n \t \\ as in C
 --pretty                  %j and %J over several lines
 -N                        no end of line after a message
 -C N                      end after N messages
 -W SECONDS                end after a time, with exit code 27
 -E                        end as soon as the subscription is acknowledged
 -R                        do not print retained messages
 --retained-only           print retained messages and end at the first other one
 --remove-retained         delete the retained messages that arrive
 --retain-as-published     keep the retain flag of the publisher (MQTT 5)
 --retain-handling WHEN    send retained messages always, new (subscriptions only), never (MQTT 5)
 --random-filter PERCENT   print only so many of the messages
`

const commonUsage = `
 -h, --host HOST           broker, localhost without
 -p, --port PORT           1883, with TLS 8883
 -L, --url URL             mqtt[s]://[user[:password]@]host[:port]/topic
 --unix PATH               connect to a Unix socket
 -A ADDRESS                local address to connect from
 -u, --username NAME       user name
 -P, --pw PASSWORD         password
 -i, --id ID               client identifier
 -I, --id-prefix PREFIX    client identifier PREFIX and the process id
 -q, --qos QOS             0, 1 or 2
 -k, --keepalive SECONDS   5 to 65535, 60 without
 -V VERSION                mqttv31, mqttv311 (without), mqttv5
 -c                        keep the session (no clean start)
 -x SECONDS                session expiry, -1 never (MQTT 5)
 -D PACKET PROPERTY VALUE  property of connect, publish, subscribe, unsubscribe, disconnect or will (MQTT 5);
                           user-property has a name before the value
 -M N                      messages in flight
 --will-topic TOPIC, --will-payload MESSAGE, --will-qos QOS, --will-retain
 --cafile FILE, --capath DIRECTORY, --cert FILE, --key FILE, --tls-version VERSION, --tls-alpn NAME, --tls-use-os-certs
 --insecure                do not check the server's name
 -d, --debug               print packets
 --quiet                   print no errors
`
