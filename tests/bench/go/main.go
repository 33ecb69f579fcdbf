// The peer of a warm admission: a plain net/http webhook over TLS that decodes the same fields of an AdmissionReview,
// looks the images up in a map and answers. webhook CERTIFICATE KEY prints the port it listens on.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

type podSpec struct {
	InitContainers      []container       `json:"initContainers"`
	Containers          []container       `json:"containers"`
	EphemeralContainers []container       `json:"ephemeralContainers"`
	NodeSelector        map[string]string `json:"nodeSelector"`
}

type pod struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec podSpec `json:"spec"`
}

type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Request    struct {
		UID       string `json:"uid"`
		Namespace string `json:"namespace"`
		Operation string `json:"operation"`
		UserInfo  struct {
			Username string   `json:"username"`
			Groups   []string `json:"groups"`
		} `json:"userInfo"`
		Object    *pod `json:"object"`
		OldObject *pod `json:"oldObject"`
		DryRun    bool `json:"dryRun"`
	} `json:"request"`
}

type answer struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Response   struct {
		UID              string            `json:"uid"`
		Allowed          bool              `json:"allowed"`
		AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
	} `json:"response"`
}

var denied = map[string]bool{"registry.example/denied:1": true}

func validate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 24<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var in review
	if err := json.Unmarshal(body, &in); err != nil || in.Request.Object == nil {
		http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
		return
	}
	var out answer
	out.APIVersion, out.Kind = in.APIVersion, in.Kind
	out.Response.UID, out.Response.Allowed = in.Request.UID, true
	spec := in.Request.Object.Spec
	for _, list := range [][]container{spec.InitContainers, spec.Containers, spec.EphemeralContainers} {
		for _, c := range list {
			if denied[c.Image] {
				out.Response.Allowed = false
			}
		}
	}
	out.Response.AuditAnnotations = map[string]string{"decision": "allow"}
	text, _ := json.Marshal(&out)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: webhook CERTIFICATE KEY")
	}
	http.HandleFunc("/validate", validate)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.ServeTLS(listener, nil, os.Args[1], os.Args[2]))
}
