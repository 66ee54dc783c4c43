//go:build !linux

package natsd

func memoryDir() string { return "" }

func hasRoom(string) bool { return false }

func isOwn(string) bool { return false }
