package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-tdx-guest/verify"
)

// judgeTDX asks with Intel's collateral where all of it came, else about chain and signatures alone. Levels count as theirs do: what is
// not up to date is refused.
func judgeTDX(q *question) error {
	pool := x509.NewCertPool()
	for _, der := range q.Roots {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		pool.AddCert(root)
	}
	quote := q.Evidence["quote"]
	if len(quote) > 1 && quote[0] != 4 {
		return fmt.Errorf("%w: their library reads version 4", errNotJudged)
	}
	options := &verify.Options{Now: q.Now, TrustedRoots: pool, Getter: services{q.Endorsements}}
	options.GetCollateral = has(q, "tcb-info", "tcb-info-chain", "qe-identity", "qe-identity-chain")
	options.CheckRevocations = options.GetCollateral && has(q, "pck-crl", "pck-crl-chain", "root-crl")
	return verify.RawTdxQuote(quote, options)
}

func has(q *question, roles ...string) bool {
	for _, role := range roles {
		if len(q.Endorsements[role]) == 0 {
			return false
		}
	}
	return true
}

// services is Intel's PCS, with what came along for answers.
type services struct{ items map[string][]byte }

func (s services) Get(address string) (map[string][]string, []byte, error) {
	answer := func(role, header, chain string) (map[string][]string, []byte, error) {
		return map[string][]string{header: {url.QueryEscape(string(armoured(s.items[chain])))}}, s.items[role], nil
	}
	switch {
	case strings.Contains(address, "/tcb?"):
		return answer("tcb-info", "Tcb-Info-Issuer-Chain", "tcb-info-chain")
	case strings.Contains(address, "/qe/identity"):
		return answer("qe-identity", "Sgx-Enclave-Identity-Issuer-Chain", "qe-identity-chain")
	case strings.Contains(address, "/pckcrl?"):
		return answer("pck-crl", "Sgx-Pck-Crl-Issuer-Chain", "pck-crl-chain")
	case len(s.items["root-crl"]) > 0:
		return nil, s.items["root-crl"], nil
	}
	return nil, nil, fmt.Errorf("no network: %s", address)
}

// armoured is a chain as Intel sends it: PEM and nothing behind it.
func armoured(chain []byte) []byte {
	var found []byte
	for rest := chain; len(rest) > 0; {
		block, behind := pem.Decode(rest)
		if block == nil {
			break
		}
		found, rest = append(found, pem.EncodeToMemory(block)...), behind
	}
	return found
}
