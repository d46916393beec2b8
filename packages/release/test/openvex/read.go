// Reads a document with the OpenVEX project's own library, which scanners use, and prints what it says of one
// vulnerability in each product.
package main

import (
	"fmt"
	"os"

	"github.com/openvex/go-vex/pkg/vex"
)

func main() {
	document, err := vex.Open(os.Args[1])
	for i := 0; err == nil && i < len(document.Statements); i++ {
		err = document.Statements[i].Validate()
	}
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	for _, product := range os.Args[3:] {
		fmt.Println(product, len(document.Matches(os.Args[2], product, nil)))
		for _, statement := range document.Matches(os.Args[2], product, nil) {
			fmt.Println(statement.Status, statement.StatusNotes)
		}
	}
}
