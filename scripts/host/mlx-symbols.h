// Functions of libmlx.so that it does not export: found by name through the symbol table that the wheel's library still
// carries, called, and overwritten with a jump to one of ours, since no preloading can replace them. x86-64 only.
#pragma once

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace dry {

struct Library {
  std::string path;
  uintptr_t base = 0;
  std::map<std::string, uintptr_t> symbols;
};

inline int find_mlx(dl_phdr_info* info, size_t, void* out) {
  if (!strstr(info->dlpi_name, "libmlx.so")) return 0;
  auto* library = static_cast<Library*>(out);
  library->path = info->dlpi_name;
  library->base = info->dlpi_addr;
  return 1;
}

inline const Library& mlx_library() {
  static const Library library = [] {
    Library l;
    dl_iterate_phdr(find_mlx, &l);
    std::ifstream file(l.path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    if (bytes.empty()) return l;
    auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
    auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes.data() + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
      if (sections[i].sh_type != SHT_SYMTAB) continue;
      const char* names = bytes.data() + sections[sections[i].sh_link].sh_offset;
      auto* symbol = reinterpret_cast<const Elf64_Sym*>(bytes.data() + sections[i].sh_offset);
      for (size_t n = sections[i].sh_size / sizeof(Elf64_Sym); n > 0; n--, symbol++) {
        if (symbol->st_value) l.symbols[names + symbol->st_name] = l.base + symbol->st_value;
      }
    }
    return l;
  }();
  return library;
}

inline uintptr_t hidden(const char* name) {
  auto& symbols = mlx_library().symbols;
  auto found = symbols.find(name);
  if (found == symbols.end()) {
    fprintf(stderr, "dry-gpu: no symbol %s in '%s'; it needs libmlx.so of MLX 0.32.2's wheel\n", name,
            mlx_library().path.c_str());
    _exit(1);
  }
  return found->second;
}

template <typename F>
void replace(const char* name, F* function) {
  auto* at = reinterpret_cast<unsigned char*>(hidden(name));
  auto target = reinterpret_cast<uintptr_t>(function);
  const uintptr_t page = sysconf(_SC_PAGESIZE);
  auto start = reinterpret_cast<uintptr_t>(at) & ~(page - 1);
  mprotect(reinterpret_cast<void*>(start), 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
  const unsigned char load[2] = {0x48, 0xB8}, jump[2] = {0xFF, 0xE0};  // mov rax, target; jmp rax
  memcpy(at, load, 2);
  memcpy(at + 2, &target, 8);
  memcpy(at + 10, jump, 2);
  mprotect(reinterpret_cast<void*>(start), 2 * page, PROT_READ | PROT_EXEC);
}

}  // namespace dry
