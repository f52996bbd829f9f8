package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/google/go-sev-guest/abi"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

// judgeSNP asks about chain and signature, and with a list that holds about revocation of the intermediate: their library does not look
// the chip's number up.
func judgeSNP(q *question) error {
	report, err := abi.ReportToProto(q.Evidence["report"])
	if err != nil {
		return err
	}
	options := &verify.Options{DisableCertFetching: true, Now: q.Now, Getter: nothing{}}
	if err := trustOurs(q, options); err != nil {
		return err
	}
	chain := &spb.CertificateChain{VcekCert: q.Endorsements["vcek"], VlekCert: q.Endorsements["vlek"]}
	return verify.SnpAttestation(&spb.Attestation{Report: report, CertificateChain: chain}, options)
}

// trustOurs makes their roots of ours with the intermediates and the list that came. Where none came, theirs serve, which are AMD's.
func trustOurs(q *question, options *verify.Options) error {
	certificates, err := given(q)
	if err != nil {
		return err
	}
	roots := map[string][]*trust.AMDRootCerts{}
	for _, der := range q.Roots {
		ark, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(ark.Subject.CommonName, "ARK-")
		products := below(ark, certificates)
		needed := products.Ask
		if q.Endorsements["vlek"] != nil {
			needed = products.Asvk
		}
		if needed == nil {
			continue
		}
		root := &trust.AMDRootCerts{ProductLine: line, ProductCerts: products}
		if list, err := x509.ParseRevocationList(q.Endorsements["crl"]); err == nil && q.Now.Before(list.NextUpdate) && products.Ask != nil {
			root.CRL, options.CheckRevocations = list, true
		}
		roots[line] = append(roots[line], root)
	}
	if len(roots) > 0 {
		options.TrustedRoots = roots
	}
	return nil
}

// below is the intermediates that name ark as their issuer; whether it signed them is theirs to find.
func below(ark *x509.Certificate, certificates []*x509.Certificate) *trust.ProductCerts {
	found := &trust.ProductCerts{Ark: ark}
	for _, each := range certificates {
		name := each.Subject.CommonName
		if !bytes.Equal(each.RawIssuer, ark.RawSubject) || bytes.Equal(each.RawSubject, ark.RawSubject) {
			continue
		}
		if strings.HasPrefix(name, "SEV-VLEK-") {
			found.Asvk = each
		} else if strings.HasPrefix(name, "SEV-") {
			found.Ask = each
		}
	}
	return found
}

// given is every certificate of AMD's that came along, but for the chip's own.
func given(q *question) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for _, role := range []string{"ask", "asvk"} {
		if data, ok := q.Endorsements[role]; ok {
			each, err := trust.ParseCert(data)
			if err != nil {
				return nil, err
			}
			found = append(found, each)
		}
	}
	for rest := q.Endorsements["cert-chain"]; len(rest) > 0; {
		block, behind := pem.Decode(rest)
		if block == nil {
			break
		}
		each, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found, rest = append(found, each), behind
	}
	return found, nil
}

// nothing is the network.
type nothing struct{}

func (nothing) Get(url string) ([]byte, error) { return nil, fmt.Errorf("no network: %s", url) }
