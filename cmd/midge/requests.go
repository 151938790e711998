package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"midge/cmd/midge/control"
	"midge/cmd/midge/node"
)

// What commands say to a running midge: a word, and for some a value in JSON.
const (
	reloadRequest = "reload"
	statusRequest = "status" // without a value, or with client ids
	traceRequest  = "trace"  // with a tracing
	kickRequest   = "kick"   // with a kicking

	subscribeRequest = "subscribe" // with a subscribing
)

// requests answers them.
type requests struct {
	reloader *reloader
	node     *node.Node
}

func (r requests) answer(request string) (a control.Answer, err error) {
	word, value, _ := strings.Cut(request, " ")
	switch word {
	case reloadRequest:
		a.Text, err = r.reloader.reload()
	case statusRequest:
		a.Text, err = r.status(value)
	case traceRequest:
		var t tracing
		if err = json.Unmarshal([]byte(value), &t); err == nil {
			a.Stream, err = r.node.Trace(t.Link, t.Clients)
		}
	case kickRequest:
		var k kicking
		if err = json.Unmarshal([]byte(value), &k); err == nil {
			a.Text, err = r.node.Kick(k.Clients, k.Forget)
		}
	case subscribeRequest:
		var s subscribing
		if err = json.Unmarshal([]byte(value), &s); err == nil {
			a.Text, err = r.node.Subscribe(s.Client, s.Filters, s.QoS, s.Remove)
		}
	default:
		err = fmt.Errorf("this midge does not know the request %q", word)
	}
	return a, err
}

// status is the whole report, or that of some devices.
func (r requests) status(value string) (string, error) {
	if value == "" {
		return readable(r.node.Report())
	}
	var clients []string
	if err := json.Unmarshal([]byte(value), &clients); err != nil {
		return "", err
	}
	devices, err := r.node.Details(clients)
	if err != nil {
		return "", err
	}
	return readable(devices)
}

// readable is JSON for people, with nothing escaped for the sake of HTML: addresses behind forwarders have a «>».
func readable(value any) (string, error) {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}

var errCannotBeAsked = errors.New(`data_dir is "", so that midge cannot be asked`)

// running is the data directory, where a midge that runs with that configuration can be asked.
func running(path string) (dataDir string, err error) {
	cfg, err := load(path)
	if err != nil {
		return "", err
	}
	if cfg.Node.DataDir == "" {
		return "", errCannotBeAsked
	}
	return cfg.Node.DataDir, nil
}

// ask has the midge that uses the configuration's data_dir answer a request, with a value unless that is nil, and prints what it says.
func ask(config, word string, value any) error {
	dir, err := running(config)
	if err != nil {
		return err
	}
	if value != nil {
		b, err := json.Marshal(value)
		if err != nil {
			return err
		}
		word += " " + string(b)
	}
	text, err := control.Ask(dir, word)
	if err == nil {
		fmt.Println(text)
	}
	return err
}
