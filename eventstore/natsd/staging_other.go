//go:build !linux

package natsd

func memoryDir() string { return "" }

func isOwn(string) bool { return false }
