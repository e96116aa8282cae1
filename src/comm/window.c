/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A window: memory that all ranks of a communicator see, where they share a node.
 */
#include <sys/statvfs.h>
#include <unistd.h>
#include "comm_private.h"

struct lw_window {
    const lw_comm *comm;
    MPI_Win window;
    void *base;
    int64_t bytes;
};

/* Windows are files of this folder. Open MPI hangs where it cannot make one, so there has to be twice the room. */
static bool has_room(double bytes) {
    static const char folder[] = "/dev/shm";
    struct statvfs s;
    return access(folder, W_OK) == 0 && statvfs(folder, &s) == 0 &&
           (double)s.f_bavail * (double)s.f_frsize > 2 * bytes + 1e6;
}

/* Whether all ranks see one another's memory and it has room; the same answer on all. */
static bool together(const lw_comm *comm, int64_t bytes) {
    MPI_Comm node = MPI_COMM_NULL;
    int size = 0, least = 0;
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &size);
    MPI_Comm_free(&node);
    if (!has_room((double)bytes)) size = 0;
    MPI_Allreduce(&size, &least, 1, MPI_INT, MPI_MIN, comm->mpi);
    return least == comm->size && !comm->apart;
}

/* This rank's part of what is held. */
static int64_t part(const lw_window *w) {
    return w->bytes / w->comm->size;
}

lw_err lw_window_create(const lw_comm *comm, int64_t bytes, lw_window **out) {
    lw_window *w = NULL;
    void *own = NULL;
    MPI_Aint size = comm->rank == 0 ? (MPI_Aint)bytes : 0;
    int ok, unit, all = 0;
    *out = NULL;
    LW_TRY(lw_comm_agree(comm, lw_alloc(1, sizeof *w, "a window", &w)));
    w->comm = comm;
    w->bytes = bytes;
    if (!together(comm, bytes)) goto none;
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN);
    ok = MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, comm->mpi, &own, &w->window) == MPI_SUCCESS;
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_ARE_FATAL);
    MPI_Allreduce(&ok, &all, 1, MPI_INT, MPI_MIN, comm->mpi);
    if (!all) {
        if (ok) MPI_Win_free(&w->window);
        goto none;
    }
    MPI_Win_shared_query(w->window, 0, &size, &unit, &w->base);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, w->window);
    lw_mem_count(part(w));
    *out = w;
    return LW_OK;
none:
    lw_free(w);
    return LW_OK;
}

void lw_window_destroy(lw_window **window) {
    lw_window *w = *window;
    if (!w) return;
    MPI_Win_unlock_all(w->window);
    MPI_Win_free(&w->window);
    lw_mem_count(-part(w));
    lw_free(w);
    *window = NULL;
}

void *lw_window_at(const lw_window *window) {
    return window->base;
}

void lw_window_meet(const lw_window *window) {
    MPI_Win_sync(window->window);
    MPI_Barrier(window->comm->mpi);
    MPI_Win_sync(window->window);
}
