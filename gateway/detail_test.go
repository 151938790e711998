package gateway

import (
	"fmt"
	"testing"

	"midge/mqttsn"
)

// TestMountedClient shows a client under a mount as it sees itself, and takes its filters so on its behalf.
func TestMountedClient(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{MountPoint: "farm/%c/"})
	r.from("dev", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1, Will: true})
	r.from("dev", mqttsn.WillTopic{Topic: "gone"})
	r.from("dev", mqttsn.WillMsg{Data: []byte("x")})
	r.from("dev", mqttsn.Subscribe{MsgID: 1, TopicName: "$share/g/jobs"})
	if _, err := r.g.Subscribe("valve7", "cmd/#", 0); err != nil {
		t.Fatal(err)
	}
	d := r.g.Details([]string{"valve7"})[0]
	if got := fmt.Sprintf("%s %s %s %s %v", d.Mount, d.WillTopic, d.Subscriptions[0].Filter, d.Subscriptions[1].Filter, d.Topics); got != "farm/valve7/ gone $share/g/jobs cmd/# [{1025 jobs true}]" {
		t.Errorf("a client is shown with its mount, and else as it sees itself: %s", got)
	}
	if subs := r.b.Subscriptions("valve7"); subs[0].Filter != "$share/g/farm/valve7/jobs" || subs[1].Filter != "farm/valve7/cmd/#" {
		t.Errorf("its subscriptions are below the mount: %+v", subs)
	}
	if was, err := r.g.Unsubscribe("valve7", "cmd/#"); err != nil || !was {
		t.Errorf("and are found there: %t, %v", was, err)
	}
}

// TestDetails looks at clients in full: one that is connected, one that has gone and may come back, one that has left nothing.
func TestDetails(t *testing.T) {
	r := newRig(t, Config{}, LinkConfig{})
	for i, id := range []string{"valve7", "valve8", "pump"} {
		dev := fmt.Sprint("dev", i)
		r.from(dev, mqttsn.Connect{ClientID: id, ProtocolID: 1, CleanSession: id == "pump", Will: id == "valve7"})
		if id == "valve7" {
			r.from(dev, mqttsn.WillTopic{Topic: "gone"})
			r.from(dev, mqttsn.WillMsg{Data: []byte("x")})
		}
		r.from(dev, mqttsn.Subscribe{MsgID: 1, QoS: 1, TopicName: "cmd/" + id})
		r.from(dev, mqttsn.Subscribe{MsgID: 2, TopicName: "all/#"})
		r.from(dev, mqttsn.Register{MsgID: 3, TopicName: "up/" + id})
	}
	for i := 1; i < 3; i++ {
		r.from(fmt.Sprint("dev", i), mqttsn.Disconnect{})
	}
	r.from("dev0", mqttsn.Connect{ClientID: "valve7", ProtocolID: 1}) // it may have forgotten its ids
	r.from("dev0", mqttsn.Register{MsgID: 4, TopicName: "up/valve7"})
	for _, row := range []struct {
		sentence string
		patterns []string
		want     string
	}{
		{"a client shows its subscriptions, ids and will", []string{"valve7"}, "valve7 active clean=false will=gone [all/# 0 cmd/valve7 1] [{1025 cmd/valve7 false} {1026 up/valve7 true}]; "},
		{"one that has gone shows what is kept", []string{"v*8"}, "valve8 disconnected clean=false will= [all/# 0 cmd/valve8 1] [{1025 cmd/valve8 true} {1026 up/valve8 true}]; "},
		{"and one that leaves nothing has nothing", []string{"pump"}, "pump disconnected clean=true will= [] []; "},
		{"nobody is nobody", []string{"valve"}, ""},
	} {
		got := ""
		for _, d := range r.g.Details(row.patterns) {
			subs := []string{}
			for _, s := range d.Subscriptions {
				subs = append(subs, fmt.Sprint(s.Filter, " ", byte(s.QoS)))
			}
			got += fmt.Sprintf("%s %s clean=%t will=%s %v %v; ", d.ID, d.State, d.CleanSession, d.WillTopic, subs, d.Topics)
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.sentence, got, row.want)
		}
	}
	if all := r.g.Details([]string{"pump", "val*"}); len(all) != 3 || all[0].ID != "pump" || all[2].ID != "valve8" {
		t.Errorf("several patterns give the clients by id: %+v", all)
	}
}
