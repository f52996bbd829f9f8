// Command referee asks Google's verifiers of SEV-SNP reports and TDX quotes for their opinion: one JSON object a line in, one a line
// out. All judging is theirs (go-sev-guest, go-tdx-guest); here are only the ways in, and no network.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/logger"
)

const maxLine = 16 << 20 // bytes

// question is one piece of evidence with what its vendor says of it, roles as in confide.attest.
type question struct {
	ID           string            `json:"id"`
	Kind         string            `json:"kind"`
	Evidence     map[string][]byte `json:"evidence"`
	Endorsements map[string][]byte `json:"endorsements"`
	Now          time.Time         `json:"now"`
	Roots        [][]byte          `json:"roots"` // DER
}

// opinion of the third party; Accepted is null where it cannot judge such evidence.
type opinion struct {
	ID       string `json:"id"`
	Accepted *bool  `json:"accepted"`
	Why      string `json:"why"`
}

var errNotJudged = errors.New("not judged")

func judge(q *question) (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("crash: %v", crash)
		}
	}()
	switch q.Kind {
	case "snp":
		return judgeSNP(q)
	case "tdx":
		return judgeTDX(q)
	}
	return fmt.Errorf("%w: kind %s", errNotJudged, q.Kind)
}

func answer(line []byte) opinion {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return opinion{Why: "no question: " + err.Error()}
	}
	err := judge(&q)
	if errors.Is(err, errNotJudged) {
		return opinion{ID: q.ID, Why: err.Error()}
	}
	accepted, why := err == nil, ""
	if err != nil {
		why = strings.ToValidUTF8(err.Error(), "?")
		why = why[:min(len(why), 300)]
	}
	return opinion{ID: q.ID, Accepted: &accepted, Why: why}
}

func main() {
	logger.Init("referee", false, false, io.Discard)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(answer(lines.Bytes())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
